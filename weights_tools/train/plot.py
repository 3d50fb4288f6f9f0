"""log.csv of a training run as a picture: python weights_tools/train/plot.py runs/demo/log.csv docs/demo_model_loss.svg"""
import csv
import math
import os
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, GAP = 760, 430, 52, 12, 28, 40
COLOURS = {"loss": "#444444", "iou_prompted": "#1b7837", "iou_tracked": "#762a83"}
LABELS = {"loss": "loss", "iou_prompted": "IoU, prompted frame", "iou_tracked": "IoU, tracked frames"}


def read(path):
    try:
        with open(path, newline="") as f:
            rows = list(csv.DictReader(f))
        return [{k: (v if k == "phase" else float(v)) for k, v in r.items()} for r in rows]
    except (OSError, ValueError, TypeError) as e:
        sys.exit(f"{path}: not a log of the training program: {e}")


def panel(rows, names, y0, height, top, last):
    """Lines of the columns `names`, values 0..top, with an axis of steps."""
    x_of = lambda step: LEFT + (WIDTH - LEFT - RIGHT) * step / last  # noqa: E731
    y_of = lambda v: y0 + height * (1 - min(v, top) / top)  # noqa: E731
    out = []
    for i in range(6):
        v = top * i / 5
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_of(v):.1f}" y2="{y_of(v):.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{LEFT - 6}" y="{y_of(v) + 4:.1f}" text-anchor="end">{v:.1f}</text>')
    for name in names:
        line = " ".join(f"{x_of(r['step']):.1f},{y_of(r[name]):.1f}" for r in rows if not math.isnan(r[name]))
        out.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.3"/>')
    x = LEFT + 8
    for name in names:
        out.append(f'<text x="{x}" y="{y0 - 8}" fill="{COLOURS[name]}">{LABELS[name]}</text>')
        x += 8 * len(LABELS[name]) + 16
    previous = None
    for r in rows:
        phase = f"{r['phase']} {r['px']:.0f} px"
        if phase != previous:
            x = x_of(r["step"])
            out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y0}" y2="{y0 + height}" stroke="#888888" '
                       'stroke-dasharray="3 3"/>')
            out.append(f'<text x="{x + 3:.1f}" y="{y0 + 12}" fill="#666666">{phase}</text>')
            previous = phase
    return out


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: plot.py LOG.csv OUT.svg")
    rows = read(sys.argv[1])
    if not rows:
        sys.exit(f"{sys.argv[1]}: holds no steps yet")
    last = rows[-1]["step"]
    height = (HEIGHT - TOP - GAP - 34) / 2
    body = panel(rows, ["loss"], TOP, height, 2.0, last)
    body += panel(rows, ["iou_prompted", "iou_tracked"], TOP + height + GAP, height, 1.0, last)
    for i in range(6):
        x = LEFT + (WIDTH - LEFT - RIGHT) * i / 5
        body.append(f'<text x="{x:.0f}" y="{HEIGHT - 8}" text-anchor="middle">{last * i / 5:.0f}</text>')
    body.append(f'<text x="{WIDTH / 2 + 60:.0f}" y="{HEIGHT - 8}" text-anchor="middle">steps</text>')
    text = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
            f'font-size="11"><rect width="100%" height="100%" fill="white"/>\n' + "\n".join(body) + "\n</svg>\n")
    with open(sys.argv[2] + ".partial", "w") as f:
        f.write(text)
    os.replace(sys.argv[2] + ".partial", sys.argv[2])


if __name__ == "__main__":
    main()
