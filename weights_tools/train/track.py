"""The tracking loop of training: prompts on the first frame, memory, corrections; and the loss over it.

Objects are a batch: every object of every clip goes through the same frame, with the same kind of prompt, at once."""
import torch

import inherit
import prompts
from losses import decoder_loss, feature_loss
from model import MEAN, STD


FEATURE_WEIGHT = 1.0
FINE_PX = 192  # from this side on every pixel weighs the same (losses.py)


class Recorder:
    """Keeps what the mask decoder said before the model acts on it (masks of absent objects are replaced later)."""

    def __init__(self, net):
        self.last = None
        net.sam_mask_decoder.register_forward_hook(self._keep)

    def _keep(self, module, args, out):
        masks, iou, _, score = out
        self.last = masks, iou, score


def _seen(net, frames):
    mean, std = (torch.tensor(v, device=frames.device)[:, None, None] for v in (MEAN, STD))
    return net.forward_image((frames - mean) / std)


def encode(net, frames):
    """frames [N, 3, S, S] in 0..1 -> (features, positions) per level as [HW, N, C], sizes."""
    _, feats, positions, sizes = net._prepare_backbone_features(_seen(net, frames))
    return feats, positions, sizes


class Tracked:
    """Objects on their way through a clip. masks: [N, T, S, S]; owner [N]: index of each object's clip."""

    def __init__(self, net, recorder, features, n_frames, owner, masks, generator):
        self.net, self.recorder, self.masks, self.generator = net, recorder, masks, generator
        self.feats, self.positions, self.sizes = features
        self.n_frames, self.owner = n_frames, owner
        self.history = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
        self.losses, self.ious, self.even = [], [], masks.shape[-1] < FINE_PX

    def _at(self, levels, t):
        index = self.owner * self.n_frames + t
        return [x.index_select(1, index) for x in levels]

    def step(self, t, points=None, mask=None, previous=None, remember=True, scored=True):
        """Runs frame t. points: (coordinates, labels); mask: [N, 1, S, S]; previous: logits given back as a prompt."""
        to = self.masks.device
        out = self.net.track_step(
            frame_idx=t,
            is_init_cond_frame=t == 0,
            current_vision_feats=self._at(self.feats, t),
            current_vision_pos_embeds=self._at(self.positions, t),
            feat_sizes=self.sizes,
            point_inputs=points and {"point_coords": points[0].to(to), "point_labels": points[1].to(to)},
            mask_inputs=mask,
            output_dict=self.history,
            num_frames=16,  # pointers' ages are measured as in a long video
            prev_sam_mask_logits=None if previous is None else previous.clamp(-32, 32),
            run_mem_encoder=remember,
        )
        if remember:
            self.history["cond_frame_outputs" if t == 0 else "non_cond_frame_outputs"][t] = out
        if scored:
            loss, iou = decoder_loss(self.recorder.last, self.masks[:, t], self.even)
            self.losses.append(loss)
            self.ious.append((t, iou))
        return out

    def correct(self, t, points, out, remember):
        """One more click where the mask of `out` is wrong; returns all points so far and the new result."""
        found = out["pred_masks_high_res"][:, 0].detach() > 0
        more = prompts.correction(self.masks[:, t].cpu(), found.cpu(), self.generator)
        points = more if points is None else tuple(torch.cat(p, 1) for p in zip(points, more))
        return points, self.step(t, points, previous=out["pred_masks"].detach(), remember=remember)


def _first_prompt(truth, kind, generator, rng):
    if kind == "box":
        return prompts.box(truth, generator)
    return prompts.click(truth, generator, centred=rng.random() < 0.6)


def clip_loss(net, recorder, frames, masks, rng, generator, with_images=False, kinds=(0.45, 0.3, 0.25), seen_by=None):
    """frames [B, T, 3, S, S], masks [B, K, T, S, S]: prompt in the first frame, then track; mean loss over frames.

    `with_images`: every frame is learnt from as an image too, which costs little once it is encoded.
    `kinds`: how often the first prompt is a click, a box, a mask. `seen_by`: the net whose image encoder is used, if not
    this one's. Returns the loss, IoU on the prompted frame and on tracked ones."""
    b, n_frames = frames.shape[:2]
    k = masks.shape[1]
    features = encode(seen_by or net, frames.flatten(0, 1))
    owner = torch.arange(b, device=frames.device).repeat_interleave(k)
    run = Tracked(net, recorder, features, n_frames, owner, masks.flatten(0, 1), generator)
    truth = run.masks[:, 0].cpu()
    kind = rng.choice(["point", "box", "mask"], p=kinds)
    if kind == "mask":
        mask = prompts.rough_mask(truth, generator) if rng.random() < 0.4 else truth[:, None].float()
        run.step(0, mask=mask.to(frames.device), scored=False)
    else:
        n_more = int(rng.choice([0, 1, 2], p=[0.6, 0.25, 0.15]))
        if kind == "point" and rng.random() < 0.4:
            points = prompts.centroid(truth)
        else:
            points = _first_prompt(truth, kind, generator, rng)
        out = run.step(0, points, remember=n_more == 0)
        for i in range(n_more):
            points, out = run.correct(0, points, out, remember=i == n_more - 1)
    correct_at = int(rng.integers(1, n_frames)) if rng.random() < 0.15 else -1
    for t in range(1, n_frames):
        out = run.step(t, remember=t != correct_at and t < n_frames - 1)
        if t == correct_at:
            run.correct(t, None, out, remember=t < n_frames - 1)
    loss, prompted, tracked = _summary(run)
    if with_images:
        loss = loss + _summary(_as_images(net, recorder, features, masks, rng, generator))[0]
    return loss, prompted, tracked


def image_loss(net, recorder, frames, masks, rng, generator):
    """The same arguments; every frame is an image of its own, with a prompt and corrections."""
    features = encode(net, frames.flatten(0, 1))
    return _summary(_as_images(net, recorder, features, masks, rng, generator))


def _unlike(found, wanted):
    """How far from what was wanted, squared, in units of its variance."""
    return (found - wanted).square().mean() / wanted.var()


def encoder_imitation_loss(net, teacher, frames):
    """How unlike the teacher's the three levels of features of `frames` [N, 3, S, S] are."""
    with torch.no_grad():
        wanted = _seen(teacher, frames)["backbone_fpn"]
    found = _seen(net, frames)["backbone_fpn"]
    return sum(map(_unlike, found, wanted)) / len(wanted)


def watch(teacher, recorder, net, frames, masks, rng, generator):
    """Lets the teacher track through clips that `net` sees: the arguments of its memory attention, and the results."""
    calls = []
    hook = teacher.memory_attention.register_forward_hook(lambda m, a, named, out: calls.append((named, out)),
                                                          with_kwargs=True)
    with torch.no_grad():
        clip_loss(teacher, recorder, frames, masks, rng, generator, seen_by=net)
    hook.remove()
    return calls


def memory_imitation_loss(net, calls):
    """How unlike the teacher's the features are that EdgeTAM's memory attention makes of the teacher's memories."""
    return sum(_unlike(inherit.attend(net, **named), out) for named, out in calls) / len(calls)


def _as_images(net, recorder, features, masks, rng, generator):
    each = masks.transpose(1, 2).flatten(0, 2)[:, None]  # [B T K, 1, S, S]
    shown = each.flatten(1).float().mean(1) > 0.003
    owner = torch.arange(masks.shape[0] * masks.shape[2], device=masks.device).repeat_interleave(masks.shape[1])
    run = Tracked(net, recorder, features, 1, owner[shown], each[shown], generator)
    truth = run.masks[:, 0].cpu()
    run.losses.append(FEATURE_WEIGHT * feature_loss(_fine_features(net, features)[run.owner], run.masks[:, 0]))
    points = _first_prompt(truth, "box" if rng.random() < 0.4 else "point", generator, rng)
    out = run.step(0, points, remember=False)
    for _ in range(int(rng.choice([0, 1, 2], p=[0.4, 0.4, 0.2]))):
        points, out = run.correct(0, points, out, remember=False)
    return run


def _fine_features(net, features):
    """What the mask decoder would weigh into masks, without its transformer: [N, C, S/4, S/4]."""
    feats, _, sizes = features
    s0, s1, top = (x.permute(1, 2, 0).unflatten(2, s) for x, s in zip(feats, sizes))
    up, norm, act, up2, act2 = net.sam_mask_decoder.output_upscaling
    return act2(up2(act(norm(up(top) + s1))) + s0)


def _summary(run):
    first = torch.cat([iou for t, iou in run.ious if t == 0] or [torch.full((1,), float("nan"))])
    later = torch.cat([iou for t, iou in run.ious if t > 0] or [torch.full((1,), float("nan"))])
    return torch.stack(run.losses).mean(), first.nanmean().item(), later.nanmean().item()
