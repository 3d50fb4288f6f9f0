/* The verb report over real runs: what is in the page, the comparison of two runs, and the page in a browser. */
#include "image_io.h"
#include "svg_plot.h"
#include "verb_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static temp_tree tree;
static command_result result;
static char *page; /* the last one read */

static const char *read_page(const char *path)
{
    struct stat st;
    free(page);
    assert_int_equal(stat(tree_path(&tree, "%s", path), &st), 0);
    page = malloc((size_t)st.st_size + 1);
    FILE *f = fopen(tree.path, "r");
    assert_true(page && f);
    page[fread(page, 1, (size_t)st.st_size, f)] = 0;
    fclose(f);
    return page;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        n++;
    return n;
}

#define TABLE_HEAD "video,object,model,imgsz,precision,fps,latency_ms,cpu_peak_rss_MiB,J,F,JandF,backend,status\n"

/* A table of 8 objects with these figures, jittering by one percent. */
static void write_run(const char *folder, double fps, double mib, double score)
{
    char text[4096], path[128];
    int n = snprintf(text, sizeof text, TABLE_HEAD);
    for (int i = 0; i < 8; i++) {
        double jitter = 1 + 0.01 * ((i * 5) % 3 - 1);
        n +=
            snprintf(text + n, sizeof text - (size_t)n,
                     "v%d,%03d,sam2_tiny_points,1024,fp32,%.4f,%.4f,%.1f,%.4f,%.4f,%.4f,cpu,ok\n", i / 2, i % 2,
                     fps * jitter, 1000 / (fps * jitter), mib * jitter, score * jitter, score * jitter, score * jitter);
    }
    snprintf(path, sizeof path, "%s/sav_benchmark_summary.csv", folder);
    tree_text(&tree, path, text);
}

static void a_run_becomes_a_page(void **state)
{
    (void)state;
    static const char *const parts[] = {"<!doctype html>",
                                        "class=\"matrix\"",
                                        "<b>sav_val</b> of split, scored as sav &middot; 1 video",
                                        "viewport",
                                        "prefers-color-scheme:dark",
                                        "J&amp;F against speed",
                                        "J&amp;F against memory",
                                        "Latency of tracked frames",
                                        "J by frame",
                                        "Worst frames",
                                        "data:image/png;base64,",
                                        "<h2>Videos</h2>",
                                        "<h2>Objects</h2>",
                                        "processors"};
    sav_video_make(&tree, "split", "first", 9);
    verb_line(&result, &tree, 0,
              "run --split_dir @/split --models sam2_tiny_points,sam2_tiny_bbox --weights_dir @/weights --imgsz 128 "
              "--threads 1 --quiet --out_dir @/out --shard none");
    assert_int_equal(access(tree_path(&tree, "out/frames/first__obj000__sam2_tiny_points.csv"), R_OK), 0);
    image worst = {0};
    sam_error err;
    assert_int_equal(image_read_rgb(tree_path(&tree, "out/worst/first__obj001__sam2_tiny_bbox.png"), &worst, &err),
                     SAM_OK);
    assert_true(worst.width >= 300);
    image_free(&worst);
    json_t *json = verb_json(&tree, "out/machine.json");
    documented_keys(json, "report.md", "machine.json has");
    json_decref(json);
    json = verb_json(&tree, "out/sav_benchmark_settings.json");
    static const char *const marks[] = {"weights", NULL};
    documented_fields(json, "columns.md", marks);
    json_decref(json);
    verb_line(&result, &tree, 0, "report @/out --out @/pages/report.html --title 'A & B'");
    const char *text = read_page("pages/report.html");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!strstr(text, parts[i]))
            fprintf(stderr, "not in the page: %s\n", parts[i]);
        assert_non_null(strstr(text, parts[i]));
    }
    assert_non_null(strstr(text, "<h1>A &amp; B</h1>"));
    assert_int_equal(count(text, "<figure>"), 4);
    /* Nothing comes from elsewhere. */
    assert_null(strstr(text, "src=\"http"));
    assert_null(strstr(text, "<link"));
    assert_null(strstr(text, "url("));
    assert_null(strstr(text, ">nan<"));
}

static void frames_add_up_to_their_row(void **state)
{
    (void)state;
    csv_table t = documented_table(&tree, "out/frames/first__obj000__sam2_tiny_points.csv", "columns.md", "**frames/"),
              rows = {0};
    sam_error err;
    double j = 0;
    int n = 0;
    assert_int_equal(t.n_rows, 9);
    for (int r = 0; r < t.n_rows; r++) {
        assert_int_equal(table_number(&t, r, "frame"), r);
        assert_true(table_number(&t, r, "ms") > 0);
        if (table_cell(&t, r, "J")[0]) {
            j += table_number(&t, r, "J");
            n++;
        }
    }
    assert_int_equal(n, 3); /* five annotated frames, the first and the last are not scored */
    assert_int_equal(csv_read(&rows, tree_path(&tree, "out/sav_benchmark_summary.csv"), &err), SAM_OK);
    int row = csv_find(&rows, (const char *const[]){"first", "000", "sam2_tiny_points"}, 3);
    double difference = j / n - table_number(&rows, row, "J");
    assert_true(difference < 1e-5 && difference > -1e-5);
    csv_close(&rows);
    csv_close(&t);
}

/* Times that cannot be read are missing from a page that says so, and the exit status says it too. */
static void damaged_frames_are_told(void **state)
{
    (void)state;
    static const char *const damaged[] = {"", "frame,ms\n0,1,2,3\n", "frame,ms\n\"0,1\n"};
    for (int i = 0; i < 3; i++) {
        write_run("damaged", 10, 100, 0.9);
        tree_text(&tree, "damaged/frames/v0__obj000__sam2_tiny_points.csv", damaged[i]);
        verb_says(&tree, 1, "1 file of frames is left out: ", "report @/damaged --out @/damaged.html");
        tree_remove(&tree, "damaged");
    }
}

static void regressions_are_found(void **state)
{
    (void)state;
    write_run("base", 10, 500, 0.7);
    write_run("same", 10.2, 505, 0.701);
    write_run("slow", 9, 500, 0.7);
    write_run("large", 10, 600, 0.7);
    write_run("wrong", 10, 500, 0.65);
    verb_line(&result, &tree, 0, "report @/same --baseline @/base --fail_on_regression --out @/r.html");
    assert_int_equal(count(read_page("r.html"), ">as good<"), 3);
    verb_line(&result, &tree, 1, "report @/slow --baseline @/base --fail_on_regression --out @/r.html");
    assert_non_null(strstr(result.text, "-10.0 % (error 0.0 %)  WORSE"));
    assert_int_equal(count(read_page("r.html"), ">worse<"), 1);
    verb_line(&result, &tree, 0,
              "report @/slow --baseline @/base --fail_on_regression --limit_percent 15 --out @/r.html");
    verb_line(&result, &tree, 0, "report @/slow --baseline @/base --out @/r.html");
    verb_line(&result, &tree, 1, "report @/large --baseline @/base --fail_on_regression --out @/r.html");
    verb_line(&result, &tree, 1, "report @/wrong --baseline @/base --fail_on_regression --out @/r.html");
    assert_non_null(strstr(result.text, "-0.0500"));
    tree_text(&tree, "other/sav_benchmark_summary.csv",
              TABLE_HEAD "x,000,edgetam_points,512,bf16,5,200,300,0.5,0.5,0.5,cpu,ok\n");
    /* Scores by two conventions are not compared, nor is one of them the best. */
    tree_text(
        &tree, "sav/sav_benchmark_summary.csv",
        "video,object,model,imgsz,precision,fps,JandF,J,F,metric,status\nv,0,edgetam_points,512,bf16,9,0.9,0.9,0.9,sav,ok\n");
    tree_text(
        &tree, "seed/sav_benchmark_summary.csv",
        "video,object,model,imgsz,precision,fps,JandF,J,F,metric,status\nv,0,edgetam_points,512,bf16,9,0.5,0.5,0.5,seed,ok\n");
    verb_line(&result, &tree, 1, "report @/seed --baseline @/sav --fail_on_regression --out @/r.html");
    verb_line(&result, &tree, 0, "report @/seed --baseline @/sav --fail_on_regression --allow_missing --out @/r.html");
    assert_non_null(strstr(result.text, "not compared: the two runs were scored by different metrics"));
    assert_non_null(strstr(read_page("r.html"), "scored by another metric"));
    verb_says(&tree, 1, "no row in common", "report @/other --baseline @/base --fail_on_regression --out @/r.html");
}

/* A model that broke has no figures to be worse; the gate fails all the same, unless that is allowed. */
static void what_cannot_be_compared_fails_the_gate(void **state)
{
    (void)state;
#define GATE_HEAD "video,object,model,imgsz,precision,fps,cpu_peak_rss_MiB,J,F,JandF,metric,status\n"
#define GOOD(model)                                                                                                    \
    "v,000," model ",64,fp32,10,100,0.5,0.5,0.5,sav,ok\nw,000," model ",64,fp32,10,100,0.5,0.5,0.5,sav,ok\n"
    static const struct {
        const char *name, *rows, *says;
    } broken[] = {
        {"failed", "v,000,b,64,fp32,,,,,,sav,error: GPU lost\nw,000,b,64,fp32,,,,,,sav,error: GPU lost\n",
         "2 rows of the"},
        {"absent", "", "2 rows of the"},
        {"one_absent", "v,000,b,64,fp32,10,100,0.5,0.5,0.5,sav,ok\n", "1 rows of the"},
        {"nan", "v,000,b,64,fp32,10,100,nan,nan,nan,sav,ok\nw,000,b,64,fp32,10,100,nan,nan,nan,sav,ok\n",
         "J&F        2 rows"},
        {"unscored", "v,000,b,64,fp32,10,100,,,,sav,ok\nw,000,b,64,fp32,10,100,,,,sav,ok\n", "J&F        2 rows"},
        {"stopped", "v,000,b,64,fp32,0,100,0.5,0.5,0.5,sav,ok\nw,000,b,64,fp32,0,100,0.5,0.5,0.5,sav,ok\n",
         "fps        2 rows"},
    };
    char path[96], text[2048];
    tree_text(&tree, "gate/sav_benchmark_summary.csv", GATE_HEAD GOOD("a") GOOD("b"));
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        snprintf(path, sizeof path, "%s/sav_benchmark_summary.csv", broken[i].name);
        snprintf(text, sizeof text, "%s%s%s", GATE_HEAD, GOOD("a"), broken[i].rows);
        tree_text(&tree, path, text);
        snprintf(text, sizeof text, "report @/%s --baseline @/gate --fail_on_regression --out @/r.html",
                 broken[i].name);
        verb_line(&result, &tree, 1, text);
        assert_non_null(strstr(result.text, broken[i].says));
        assert_non_null(strstr(read_page("r.html"), "rows are missing"));
        snprintf(text, sizeof text, "report @/%s --baseline @/gate --fail_on_regression --allow_missing --out @/r.html",
                 broken[i].name);
        verb_line(&result, &tree, 0, text);
    }
    verb_line(&result, &tree, 0, "report @/gate --baseline @/gate --fail_on_regression --out @/r.html");
}

static void several_folders_and_failed_rows(void **state)
{
    (void)state;
    tree_text(&tree, "failed/sav_benchmark_summary.csv",
              TABLE_HEAD "<b>,000,sam2_tiny_points,1024,fp32,,,,,,,,\"error: a <script> \"\"here\"\"\"\n");
    tree_text(
        &tree, "board/jetson_benchmark_summary.csv",
        "video,object,model,imgsz,precision,frames,fps,latency_ms,memory_kind,cpu_peak_rss_MiB,gpu_peak_alloc_MiB,pool_peak_MiB,"
        "backend,status\nv,0,edgetam_points,512,bf16,9,20,50,unified,300,400,555,cuda,ok\n");
    verb_line(&result, &tree, 0, "report @/base @/failed @/board --out @/many.html");
    const char *text = read_page("many.html");
    assert_non_null(strstr(text, "error: a &lt;script&gt; &quot;here&quot;"));
    assert_null(strstr(text, "<b>,"));
    assert_non_null(strstr(text, ">555</td>")); /* one pool, counted once */
    assert_non_null(strstr(text, "edgetam_points 512 bf16 (board)"));
    /* The answer comes first, and the best figures of each board are marked. */
    assert_non_null(strstr(text, "<span class=\"best\"><b>10.0</b> fps</span>"));
    assert_non_null(strstr(text, "<span class=\"best\"><b>20.0</b> fps</span>"));
    assert_true(strstr(text, "class=\"matrix\"") < strstr(text, "<h2>Models</h2>"));
    assert_null(strstr(text, "<h2>Machines</h2>")); /* no folder says what it is of */
    assert_non_null(strstr(text, "<td class=\"best\">20.00</td>"));
    /* Where nothing is shared, what other programs took is not the model's. */
    tree_text(&tree, "a/out/jetson_benchmark_summary.csv",
              "video,object,model,imgsz,precision,fps,latency_ms,memory_kind,cpu_peak_rss_MiB,gpu_peak_alloc_MiB,"
              "pool_peak_MiB,backend,status\nv,0,edgetam_points,512,bf16,20,50,cpu,301,0,555,cpu,ok\n");
    tree_text(&tree, "b/out/sav_benchmark_summary.csv",
              TABLE_HEAD "v,0,edgetam_points,512,bf16,21,50,302,0.5,0.5,0.5,cpu,ok\n");
    verb_line(&result, &tree, 0, "report @/a/out @/b/out --out @/same_name.html");
    text = read_page("same_name.html");
    assert_non_null(strstr(text, ">301</td>"));
    assert_null(strstr(text, ">555</td>"));
    assert_non_null(strstr(text, "/a/out)"));
    assert_non_null(strstr(text, "/b/out)"));
}

/* Folders of all verbs on one page, and of one that scores nothing. */
static void other_verbs_are_on_the_page(void **state)
{
    (void)state;
    tree_text(&tree, "timed/profile_summary.csv",
              "model,imgsz,precision,backend,device,stage,n,median_ms\nm_points,512,bf16,cpu,x,frame,3,70.5\n"
              "m_points,512,bf16,cpu,x,encode,3,51.25\nn_points,512,bf16,cpu,x,encode,3,61.25\n");
    tree_text(&tree, "timed/component_speed.csv",
              "model,imgsz,precision,objects,backend,device,component,median_ms,status\n"
              "m,512,bf16,1,cpu,x,frame,80.5,ok\nm,512,bf16,1,cpu,x,image_encoder,44.5,ok\n"
              "m,512,bf16,2,cpu,x,frame,90.5,ok\nm,512,fp16,2,,,,,no memory\n");
    tree_text(
        &tree, "timed/figures.json",
        "{\"model\": \"m\", \"input\": \"clip<1>.mp4\", \"imgsz\": 512, \"frames\": 9, \"objects\": 2,"
        " \"steady\": {\"ms_per_frame\": 33.25}, \"official_protocol_fps\": null, \"rss_peak_bytes\": 104857600}");
    verb_line(&result, &tree, 0, "report @/timed --out @/timed.html");
    const char *text = read_page("timed.html");
    assert_non_null(strstr(text, "<th>frame</th><th>encode</th></tr>"));
    assert_non_null(strstr(text, "<td>70.50</td><td>51.25</td></tr>"));
    assert_non_null(strstr(text, "<td></td><td>61.25</td></tr>"));
    assert_non_null(strstr(text, "<td>80.50</td><td>44.50</td><td class=\"l\">ok</td></tr>"));
    assert_non_null(strstr(text, "<td></td><td></td><td class=\"l\">no memory</td></tr>"));
    assert_non_null(strstr(text, "clip&lt;1&gt;.mp4"));
    assert_non_null(strstr(text, "<td>33.2</td>"));
    assert_non_null(strstr(text, "<td>100</td>"));
    assert_null(strstr(text, "<h2>Models</h2>"));
    verb_line(&result, &tree, 0, "report @/base @/timed --out @/mixed.html");
    assert_non_null(strstr(read_page("mixed.html"), "<h2>Models</h2>"));
    assert_non_null(strstr(page, "<h2>Components</h2>"));
    tree_text(&tree, "shards/shard_0_of_2/sav_benchmark_summary.csv", TABLE_HEAD);
    verb_says(&tree, 1, "holds shards that are not merged; run `sambench merge", "report @/shards --out @/x.html");
}

/* What a plot writes, until the next one. */
static const char *plot(int is_scatter)
{
    static char *svg;
    static size_t n;
    const svg_frame f = {.title = "t", .x_label = "x", .y_label = "y", .width = 345, .height = 230, .y_span = 0.1};
    const svg_point points[] = {{.x = 9, .y = 0.701, .label = "one"},
                                {.x = 9, .y = 0.702, .label = "two", .series = 1},
                                {.x = 3, .y = 0.703, .label = "three"}};
    free(svg);
    FILE *to = open_memstream(&svg, &n);
    if (is_scatter)
        assert_true(svg_scatter(to, &f, points, 3, 1));
    else
        svg_histogram(to, &f, (const double[]){0, 1490}, 2, 24);
    fclose(to);
    return svg;
}

/* The attribute's last value before the label. */
static double place_of(const char *svg, const char *label, const char *attribute)
{
    const char *at = strstr(svg, label), *value = NULL;
    for (const char *p = svg; p && p < at; p = strstr(p + 1, attribute))
        value = p;
    assert_true(at && value);
    return strtod(value + strlen(attribute), NULL);
}

static double height_of(const char *svg, const char *label)
{
    return place_of(svg, label, " y=\"");
}

static void labels_stay_apart(void **state)
{
    (void)state;
    const char *svg = plot(0);
    assert_non_null(strstr(svg, ">1200</text>"));
    assert_non_null(strstr(svg, ">1600</text>"));
    assert_null(strstr(svg, ">1400</text>"));
    svg = plot(1);
    double down = height_of(svg, ">one</text>") - height_of(svg, ">two</text>"),
           across = place_of(svg, ">one</text>", " x=\"") - place_of(svg, ">two</text>", " x=\"");
    printf("labels of two points at one place: %g px apart in height, %g in width\n", down, across);
    assert_true(down >= 12 || down <= -12 || across >= 20 || across <= -20);
    /* An axis that covers 0.1 at least: 0.001 is hardly seen. */
    assert_non_null(strstr(svg, ">0.76</text>"));
    assert_non_null(strstr(svg, ">0.64</text>"));
}

/* ---- three boards and six models ---- */

static const struct {
    const char *folder, *machine, *backend, *device;
    double speed, memory;
} boards[] = {
    {"orin",
     "{\"board\": \"NVIDIA Jetson Orin Nano Developer Kit\", \"cpu\": \"\", \"processors\": 6, \"gpu_MHz\": 918.0}",
     "cuda", "Orin", 1, 1.0},
    {"desktop", "{\"board\": \"\", \"cpu\": \"AMD Ryzen 9 7950X 16-Core Processor\", \"processors\": 32}", "cuda",
     "NVIDIA GeForce RTX 4090", 30, 1.2},
    {"server", "{\"board\": \"\", \"cpu\": \"Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz\", \"processors\": 28}", "cpu",
     "avx2", 0.2, 0.9},
};
enum { N_BOARDS = sizeof boards / sizeof *boards };

static const struct {
    const char *name;
    double fps, mib, score;
} models[] = {{"sam2_tiny_points", 9, 700, 0.751}, {"sam2_small_points", 8, 760, 0.769},
              {"sam2_base_points", 6, 980, 0.781}, {"sam2_large_points", 3, 1900, 0.792},
              {"edgetam_points", 16, 420, 0.729},  {"sam2_tiny_bbox", 9.01, 702, 0.7512},
              {"baseline_copy", 5000, 20, 0.801}};
enum { N_MODELS = sizeof models / sizeof *models };

/* The frames of one row, whose times lie around ms. */
static void write_frames(const char *folder, const char *model, int object, double ms)
{
    char text[2048], path[160];
    int n = snprintf(text, sizeof text, "frame,name,ms,J,F\n");
    for (int i = 0; i < 20; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%d,%d,%.3f,%.3f,0.7\n", i, i, ms * (1 + 0.02 * ((i * 7) % 5)),
                      0.6 + 0.01 * ((i * 3) % 11));
    snprintf(path, sizeof path, "%s/frames/clip__obj%03d__%s.csv", folder, object, model);
    tree_text(&tree, path, text);
}

static void write_boards(void)
{
    char text[8192], path[160];
    for (int b = 0; b < N_BOARDS; b++) {
        int n = snprintf(
            text, sizeof text,
            "video,object,model,imgsz,precision,fps,latency_ms,cpu_peak_rss_MiB,J,F,JandF,backend,device,metric,"
            "status\n");
        for (int i = 0; i < 2 * N_MODELS; i++) {
            int k = i / 2, baseline = !strncmp(models[k].name, "base", 4);
            double fps = models[k].fps * (baseline ? 1 : boards[b].speed);
            n += snprintf(text + n, sizeof text - (size_t)n,
                          "clip,%03d,%s,%s,%.3f,%.3f,%.1f,%.4f,%.4f,%.4f,%s,%s,sav,ok\n", i % 2, models[k].name,
                          baseline ? "," : "1024,fp16", fps, 1000 / fps, models[k].mib * boards[b].memory,
                          models[k].score, models[k].score, models[k].score, baseline ? "" : boards[b].backend,
                          baseline ? "" : boards[b].device);
            if (!baseline)
                write_frames(boards[b].folder, models[k].name, i % 2, 1000 / fps);
        }
        snprintf(path, sizeof path, "%s/sav_benchmark_summary.csv", boards[b].folder);
        tree_text(&tree, path, text);
        snprintf(path, sizeof path, "%s/machine.json", boards[b].folder);
        tree_text(&tree, path, boards[b].machine);
    }
}

static void the_matrix_answers_for_each_board(void **state)
{
    (void)state;
    write_boards();
    verb_line(&result, &tree, 0, "report @/orin @/desktop @/server --min_fps 5 --out @/pages/boards.html");
    const char *text = read_page("pages/boards.html");
    assert_non_null(strstr(text, "NVIDIA Jetson Orin Nano</th>"));
    assert_non_null(strstr(text, "NVIDIA GeForce RTX 4090</th>"));
    assert_non_null(strstr(text, "Intel Xeon E5-2680 v4</th>"));
    assert_non_null(strstr(text, "data-board=\"0\">sam2_<wbr>base_<wbr>points<wbr></td>"));
    assert_non_null(strstr(text, "data-board=\"1\">sam2_<wbr>large_<wbr>points<wbr></td>"));
    assert_non_null(strstr(text, "data-board=\"2\">none is so fast</td>"));
    /* The baseline is the fastest, smallest and most accurate, and wins nothing: each board has three marks. */
    const char *end = strstr(text, "</table>");
    int n = 0;
    for (const char *at = text; (at = strstr(at, "<span class=\"best\">")) && at < end; at++)
        n++;
    assert_int_equal(n, 3 * N_BOARDS);
    assert_null(strstr(text, "<td class=\"best\">5000"));
    assert_int_equal(count(text, "<path class=\"front\""), 2 * N_BOARDS);
    assert_null(strstr(strstr(text, "J&amp;F against speed"), "baseline_copy: ")); /* it would stretch the axis */
    /* Nor does an old run, though it is better in all. */
    write_run("old", 100, 10, 0.99);
    write_run("new", 10, 500, 0.7);
    verb_line(&result, &tree, 0, "report @/new --baseline @/old --out @/r.html");
    text = read_page("r.html");
    assert_non_null(strstr(text, ">an earlier run</td>"));
    assert_null(strstr(text, "<span class=\"best\"><b>100.0"));
    assert_null(strstr(text, "<td class=\"best\">100"));
    assert_non_null(strstr(text, "<span class=\"best\"><b>10.0</b> fps"));
}

static void too_many_models_are_no_matrix(void **state)
{
    (void)state;
    static char text[1 << 17];
    int n = snprintf(text, sizeof text, TABLE_HEAD);
    for (int i = 0; i < 1001; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "v,0,m%d_points,1024,fp32,1,1,1,0.5,0.5,0.5,cpu,ok\n", i);
    tree_text(&tree, "many/sav_benchmark_summary.csv", text);
    verb_line(&result, &tree, 0, "report @/many --out @/r.html");
    assert_non_null(strstr(read_page("r.html"), "1001 models on 1 boards are too many for a matrix"));
    assert_non_null(strstr(page, "m1000_points"));
}

/* Two boards are no two versions. */
static void another_machine_is_told(void **state)
{
    (void)state;
    static const char says[] = "was measured on another machine";
    write_boards();
    verb_says(&tree, 0, says, "report @/orin --baseline @/server --out @/r.html");
    assert_non_null(strstr(read_page("r.html"), "The two were measured on different machines"));
    verb_line(&result, &tree, 0, "report @/orin --baseline @/orin --out @/r.html");
    assert_null(strstr(result.text, says));
    assert_null(strstr(read_page("r.html"), "different machines"));
}

/* A size that is no number is no size: the cell is empty, and nothing is best by chance. */
static void a_figure_that_is_none_stays_empty(void **state)
{
    (void)state;
    tree_text(&tree, "none/sav_benchmark_summary.csv",
              TABLE_HEAD "v,0,sam2_tiny_points,nan,fp32,nan,nan,nan,nan,nan,nan,cpu,ok\n"
                         "v,1,sam2_tiny_points,1e300,fp32,inf,nan,-5,nan,nan,nan,cpu,ok\n");
    verb_line(&result, &tree, 0, "report @/none --out @/r.html");
    const char *text = read_page("r.html");
    assert_null(strstr(text, "2147483648"));
    assert_null(strstr(text, "nan<"));
    assert_null(strstr(text, ">inf"));
}

/* Runs of a week, in no order: drawn by date, each with its change since the run before on its board. */
static void a_history_is_drawn_by_date(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *cpu, *date;
        double fps, mib, score;
    } runs[] = {{"h/late", "Board A", "2026-03-09 08:00 UTC", 12, 900, 0.72},
                {"h/early", "Board A", "2026-02-27 08:00 UTC", 8, 1000, 0.70},
                {"h/middle", "Board A", "2026-03-02 08:00 UTC", 10, 1000, 0.71},
                {"h/other", "Board B", "2026-03-03 08:00 UTC", 30, 500, 0.60}};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        char path[64], text[200];
        write_run(runs[i].folder, runs[i].fps, runs[i].mib, runs[i].score);
        snprintf(path, sizeof path, "%s/machine.json", runs[i].folder);
        snprintf(text, sizeof text, "{\"cpu\": \"%s\", \"date\": \"%s\", \"sambench\": \"0.%zu\"}", runs[i].cpu,
                 runs[i].date, i);
        tree_text(&tree, path, text);
    }
    verb_says(&tree, 0, "32 rows of 4 folders",
              "report --history @/h/late @/h/early @/h/middle @/h/other --out @/pages/h.html");
    verb_says(&tree, 0, "32 rows of 4 folders",
              "report @/h/late @/h/early @/h/middle @/h/other --history --out @/pages/h2.html");
    const char *text = read_page("pages/h.html");
    assert_int_equal(count(text, "role=\"img\""), 3); /* speed, memory, J&F of Board A */
    assert_int_equal(count(text, "One run: there is nothing to draw yet"), 1);
    const char *days[] = {">02-27<", ">03-02<", ">03-09<"}, *at = text;
    for (int i = 0; i < 3; i++) {
        at = strstr(at, days[i]);
        assert_non_null(at);
    }
    const char *newest = strstr(text, "<td class=\"l\">2026-03-09"),
               *oldest = strstr(text, "<td class=\"l\">2026-02-27");
    assert_true(newest && oldest && newest < oldest);
    const char *changes[] = {"+20.0 %", "-10.0 %",
                             "+0.0100"}; /* 10 to 12 fps, 1000 to 900 MiB (the most of a row), 0.71 to 0.72 */
    for (int i = 0; i < 3; i++) {
        at = strstr(newest, changes[i]);
        printf("%s\n", changes[i]);
        assert_true(at && at < oldest);
    }
    verb_says(&tree, 2, "leave --baseline out", "report --history @/h/late --baseline @/h/early");
}

/* One frame is no distribution, one score no curve: no plot, and no heading over nothing. */
static void one_value_is_no_plot(void **state)
{
    (void)state;
    write_run("single", 10, 900, 0.7);
    tree_text(&tree, "single/frames/v0__obj000__sam2_tiny_points.csv", "frame,name,ms,J,F\n0,0,20,,\n1,1,20,0.5,0.5\n");
    verb_says(&tree, 0, "8 rows of 1 folder:", "report @/single --out @/pages/single.html");
    const char *text = read_page("pages/single.html");
    assert_null(strstr(text, "<svg xmlns"));
    assert_int_equal(count(text, "role=\"img\""), 0);
    assert_null(strstr(text, "Latency of tracked frames"));
    assert_null(strstr(text, "J by frame"));
    assert_null(strstr(text, "Worst frames"));
    assert_null(strstr(text, "<h2>Machines"));
}

/* ---- in a real browser ---- */

/* CHROMIUM, or the first there is; NULL: none. */
static const char *find_browser(void)
{
    static const char *const browsers[] = {"chromium", "chromium-browser", "google-chrome", "chrome"};
    const char *browser = getenv("CHROMIUM");
    for (int i = 0; i < 4 && !browser; i++) {
        char line[100];
        snprintf(line, sizeof line, "command -v %s > /dev/null", browsers[i]);
        browser = system(line) ? NULL : browsers[i];
    }
    return browser;
}

/* Shows tree/<page> in light or dark; `what` is --screenshot=... or --dump-dom, whose text goes to tree/dom. */
static void browse(const char *browser, int dark, int width, int height, const char *what, const char *name)
{
    char line[1400];
    snprintf(
        line, sizeof line,
        "timeout 200 %s --headless --no-sandbox --disable-gpu --hide-scrollbars --allow-file-access-from-files "
        "--blink-settings=preferredColorScheme=%d --user-data-dir=%s/profile --window-size=%d,%d %s file://%s/%s > "
        "%s/dom 2> %s/browser.log",
        browser, !dark, tree.root, width, height, what, tree.root, name, tree.root, tree.root);
    if (system(line))
        fail_msg("%s", line);
}

/* A screenshot of x0..x1 has something on it, and is mostly light or mostly dark. */
static void check_shot(const char *name, int dark, int x0, int x1)
{
    image shot = {0};
    sam_error err;
    int colors[64] = {0}, n_colors = 0, light = 0, n = 0;
    assert_int_equal(image_read_rgb(tree_path(&tree, "%s", name), &shot, &err), SAM_OK);
    for (int i = 0; i < shot.width * shot.height; i++) {
        const uint8_t *p = shot.data + 3 * i;
        if (i % shot.width < x0 || i % shot.width >= x1)
            continue;
        n++;
        n_colors += !colors[p[0] / 64 * 16 + p[1] / 64 * 4 + p[2] / 64]++;
        light += p[0] + p[1] + p[2] > 384;
    }
    printf("%s: %d colours, %d %% light\n", name, n_colors, 100 * light / n);
    assert_true(n_colors >= 4);
    assert_true(dark ? light * 4 < n : light * 4 > 3 * n);
    image_free(&shot);
}

/* The page at the width of a phone, in a frame: headless windows do not get that narrow. Then what a reader would do: see
 * whether it has to be scrolled sideways, and sort the last table by fps, twice. */
static const char phone[] =
    "<!doctype html><body style=\"margin:0\"><iframe id=\"f\" src=\"pages/report.html\" "
    "style=\"width:390px;height:3000px;border:0\"></iframe><pre id=\"o\"></pre><script>"
    "document.getElementById('f').onload=function(){var d=this.contentDocument,w=this.contentWindow,"
    "t=d.querySelectorAll('table.sort'),r=t[t.length-1],h=Array.from(r.querySelectorAll('th')),"
    "c=h.findIndex(function(x){return x.textContent==='fps'}),"
    "v=function(){return Array.from(r.tBodies[0].rows).map(function(x){return parseFloat(x.cells[c].textContent)})},"
    "up=function(a){return a.every(function(x,i){return !i||a[i-1]<=x})};"
    "h[c].click();var u=up(v());h[c].click();var n=up(v().reverse());"
    "document.getElementById('o').textContent='width '+d.documentElement.scrollWidth+' dark '+"
    "w.matchMedia('(prefers-color-scheme:dark)').matches+' up '+u+' down '+n+' rows '+v().length+' links '+"
    "d.querySelectorAll('[src^=http],link').length+'.'}</script></body>\n";

static void a_browser_shows_it(void **state)
{
    (void)state;
    static char dom[8192];
    char what[200];
    const char *browser = find_browser();
    if (!browser) {
        printf("no browser: neither chromium nor google-chrome in PATH, and CHROMIUM is not set: skipped\n");
        skip();
    }
    tree_text(&tree, "phone.html", phone);
    for (int dark = 0; dark < 2; dark++) {
        snprintf(what, sizeof what, "--screenshot=%s/desk%d.png", tree.root, dark);
        browse(browser, dark, 1100, 1600, what, "pages/report.html");
        snprintf(what, sizeof what, "desk%d.png", dark);
        check_shot(what, dark, 0, 1100);
    }
    snprintf(what, sizeof what, "--screenshot=%s/phone.png", tree.root);
    browse(browser, 0, 500, 3000, what, "phone.html");
    check_shot("phone.png", 0, 0, 390);
    browse(browser, 1, 500, 3000, "--virtual-time-budget=5000 --dump-dom", "phone.html");
    FILE *f = fopen(tree_path(&tree, "dom"), "r");
    assert_non_null(f);
    dom[fread(dom, 1, sizeof dom - 1, f)] = 0;
    fclose(f);
    const char *found = strstr(dom, "<pre id=\"o\">width ");
    printf("%.100s\n", found ? found : dom);
    assert_non_null(found);
    assert_non_null(strstr(found, "width 390 dark true up true down true rows 4 links 0."));
}

/* The boards' page in frames as wide as a desk, a phone and paper (of which the rules for print are then those of the
 * screen). Of each: its width, and how wide it gets; whether the matrix fits; how many names in plots overlap or are cut off.
 * Then the speed that is asked for is changed. */
static const char widths[] =
    "<!doctype html><body style=\"margin:0\"><pre id=\"o\"></pre><script>var out='',left=3;"
    "function look(f,w,paper){var d=f.contentDocument;if(paper)Array.from(d.styleSheets[0].cssRules).forEach(function(r){"
    "if(r.media&&r.media.mediaText=='print')Array.from(r.cssRules).forEach(function(x){"
    "d.styleSheets[0].insertRule(x.cssText,d.styleSheets[0].cssRules.length)})});"
    "var m=d.querySelector('.matrix'),over=0,cut=0;d.querySelectorAll('svg').forEach(function(s){"
    "var b=s.getBoundingClientRect(),t=Array.from(s.querySelectorAll('text')).map(function(x){return "
    "x.getBoundingClientRect()});t.forEach(function(p,i){if(p.left<b.left-1||p.right>b.right+1||p.top<b.top-1||"
    "p.bottom>b.bottom+1)cut++;t.forEach(function(q,k){if(k<i&&p.left<q.right-1&&q.left<p.right-1&&p.top<q.bottom-3&&"
    "q.top<p.bottom-3)over++})})});"
    "var e=d.getElementById('min_fps'),p=function(){return Array.from(d.querySelectorAll('.pick')).map(function(x){return "
    "x.textContent}).join()},before=p();e.value=7;e.dispatchEvent(new Event('input'));"
    "out+='['+w+': '+d.documentElement.scrollWidth+', matrix '+(m.scrollWidth<=m.parentNode.clientWidth+1)+', overlap '+over+"
    "', cut '+cut+', first '+(m.getBoundingClientRect().bottom<1100)+', '+before+' '+p()+', hints '+d.querySelectorAll('.cut')."
    "length+'] ';if(!--left)document.getElementById('o').textContent='seen '+out}"
    "[[1280,0],[390,0],[718,1]].forEach(function(c){var f=document.createElement('iframe');f.style.cssText="
    "'border:0;height:1200px;width:'+c[0]+'px';f.onload=function(){look(f,c[0],c[1])};f.src='pages/boards.html';"
    "document.body.appendChild(f)})</script></body>\n";

static void three_boards_are_read_at_every_width(void **state)
{
    (void)state;
    static char dom[16384];
    static const char picks[] = "sam2_base_points,sam2_large_points,none is so fast "
                                "sam2_small_points,sam2_large_points,none is so fast";
    char expected[300];
    const char *browser = find_browser();
    if (!browser)
        skip();
    tree_text(&tree, "widths.html", widths);
    browse(browser, 0, 1400, 4000, "--virtual-time-budget=5000 --dump-dom", "widths.html");
    FILE *f = fopen(tree_path(&tree, "dom"), "r");
    assert_non_null(f);
    dom[fread(dom, 1, sizeof dom - 1, f)] = 0;
    fclose(f);
    const char *found = strstr(dom, "<pre id=\"o\">seen ");
    printf("%.900s\n", found ? found : dom);
    assert_non_null(found);
    static const int px[] = {1280, 390, 718};
    for (int i = 0; i < 3; i++) {
        snprintf(expected, sizeof expected, "[%d: %d, matrix true, overlap 0, cut 0, first true, %s", px[i], px[i],
                 picks);
        assert_non_null(strstr(found, expected));
    }
    for (int dark = 0; dark < 2; dark++) {
        char what[200];
        snprintf(what, sizeof what, "--screenshot=%s/boards%d.png", tree.root, dark);
        browse(browser, dark, 1280, 1400, what, "pages/boards.html");
        snprintf(what, sizeof what, "boards%d.png", dark);
        check_shot(what, dark, 0, 1280);
    }
}

static void wrong_use_is_told(void **state)
{
    (void)state;
    verb_says(&tree, 2, "give the result folders first", "report");
    verb_says(&tree, 2, "needs --baseline", "report @/base --fail_on_regression");
    verb_says(&tree, 1, "no results here: expected sav_benchmark_summary.csv (run)", "report @/split --out @/x.html");
    verb_says(&tree, 1, "nowhere: no such folder", "report @/nowhere --out @/x.html");
    verb_says(&tree, 1, "fps>=1000000, but it is", "report @/out --out @/x.html --require 'fps>=1000000'");
    verb_says(&tree, 0, "x.html", "report @/out --out @/x.html --require 'fps>=0.001,failed<=100'");
    verb_says(&tree, 2, "the nearest is latency_p95_ms", "report @/out --out @/x.html --require 'latncy_p95_ms<=1'");
    verb_says(&tree, 0, "fail_on_regression", "report --help");
}

static int set_up(void **state)
{
    (void)state;
    tree_open(&tree);
    sav_weights_make(&tree);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(page);
    tree_close(&tree);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_becomes_a_page),
        cmocka_unit_test(frames_add_up_to_their_row),
        cmocka_unit_test(damaged_frames_are_told),
        cmocka_unit_test(regressions_are_found),
        cmocka_unit_test(what_cannot_be_compared_fails_the_gate),
        cmocka_unit_test(several_folders_and_failed_rows),
        cmocka_unit_test(other_verbs_are_on_the_page),
        cmocka_unit_test(labels_stay_apart),
        cmocka_unit_test(the_matrix_answers_for_each_board),
        cmocka_unit_test(another_machine_is_told),
        cmocka_unit_test(too_many_models_are_no_matrix),
        cmocka_unit_test(a_figure_that_is_none_stays_empty),
        cmocka_unit_test(a_history_is_drawn_by_date),
        cmocka_unit_test(one_value_is_no_plot),
        cmocka_unit_test(a_browser_shows_it),
        cmocka_unit_test(three_boards_are_read_at_every_width),
        cmocka_unit_test(wrong_use_is_told),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
