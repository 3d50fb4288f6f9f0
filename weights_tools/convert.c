#include "convert.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "digest.h"
#include "finite.h"
#include "fold.h"
#include "folders.h"
#include "recognise.h"
#include "source.h"

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* `official` are the tensors of a model under their official names. */
static sam_status write_converted(const known_model *c, const tensor_set *official, const char *source_name,
                                  const char *sha256, const char *out, sam_error *err)
{
    tensor_set folded;
    TRY(fold(official, &folded, err));
    sam_status finite = tensors_check_finite(source_name, folded.tensors, folded.n_tensors, err);
    if (finite != SAM_OK) {
        tensor_set_free(&folded);
        return finite;
    }
    char *config = known_model_json(c);
    const st_meta meta[] = {{"format_version", CONVERT_FORMAT_VERSION},
                            {"family", c->family},
                            {"name", c->name},
                            {"config", config},
                            {"source_name", source_name},
                            {"source_sha256", sha256}};
    sam_status status = config ? st_write(out, folded.tensors, folded.n_tensors, meta, sizeof meta / sizeof *meta, err)
                               : fail(err, SAM_E_MEMORY, "%s: no memory for its metadata", out);
    free(config);
    tensor_set_free(&folded);
    return status;
}

static sam_status convert_source(const source *s, const char *model, const char *sha256, const char *out,
                                 sam_error *err)
{
    recognised r;
    tensor_set official;
    TRY(recognise(s->path, &s->tensors, model, &r, err));
    TRY(assemble(s->path, &s->tensors, &r, &official, err));
    sam_status status = write_converted(r.config, &official, base_name(s->path), sha256, out, err);
    tensor_set_free(&official);
    return status;
}

/* A converted file must be of this version, and of the model asked for. */
static sam_status check_converted(const source *s, const char *model, sam_error *err)
{
    const known_model *asked;
    const char *version = st_meta_get(&s->file, "format_version"), *name = st_meta_get(&s->file, "name");
    if (strcmp(version, CONVERT_FORMAT_VERSION) != 0)
        return fail(err, SAM_E_FORMAT, "%s: format version %.20s, this build reads %s: convert the original again",
                    s->path, version, CONVERT_FORMAT_VERSION);
    if (!model)
        return SAM_OK;
    TRY(known_model_find(model, &asked, err));
    if (!name || strcmp(name, asked->name) != 0)
        return fail(err, SAM_E_FORMAT, "%s: holds %.60s, not %s", s->path, name ? name : "a model without name",
                    asked->name);
    return SAM_OK;
}

static sam_status convert_opened(const source *s, const char *model, const char *out, sam_error *err)
{
    char sha256[DIGEST_TEXT];
    if (s->is_converted) {
        TRY(check_converted(s, model, err));
        TRY(tensors_check_finite(s->path, s->file.tensors, s->file.n_tensors, err));
        return st_write(out, s->file.tensors, s->file.n_tensors, s->file.meta, s->file.n_meta, err);
    }
    TRY(digest_bytes(s->bytes, s->n_bytes, sha256, err));
    return convert_source(s, model, sha256, out, err);
}

sam_status convert_file(const char *in, const char *out, const char *model, sam_error *err)
{
    source s;
    TRY(source_open(in, &s, err));
    sam_status status = convert_opened(&s, model, out, err);
    source_close(&s);
    return status;
}

/* --------------------------------------------------------------------------------------------- cache ---- */

sam_status convert_cache_dir(const char *xdg_cache_home, const char *home, char *out, size_t out_bytes, sam_error *err)
{
    int n;
    if (xdg_cache_home && xdg_cache_home[0] == '/') /* the XDG specification has relative ones ignored */
        n = snprintf(out, out_bytes, "%s/sambench", xdg_cache_home);
    else if (home && home[0])
        n = snprintf(out, out_bytes, "%s/.cache/sambench", home);
    else
        return fail(err, SAM_E_ARG, "no place for converted weights: set HOME or XDG_CACHE_HOME, or convert by hand");
    return n > 0 && (size_t)n < out_bytes ? SAM_OK : fail(err, SAM_E_ARG, "the cache folder's name is too long");
}

static sam_status make_cache(const char *dir, sam_error *err)
{
    sam_error why = {0};
    if (!dir[0])
        return fail(err, SAM_E_ARG, "no place for converted weights");
    sam_status status = folders_make(dir, &why);
    if (status == SAM_OK && access(dir, W_OK))
        status = fail(&why, SAM_E_IO, "%.300s: cannot be written: %s", dir, strerror(errno));
    return status == SAM_OK ? SAM_OK
                            : fail(err, status,
                                   "%.300s; converted weights are kept there: set XDG_CACHE_HOME to a folder that can "
                                   "be written, or convert by hand with samconvert convert IN OUT",
                                   why.text);
}

/* <dir>/<16 digits of SHA-256>-<name without extension>[-as-<model>].v1.safetensors */
static sam_status cache_path(const char *in, const char *dir, const char *model, const char *sha256, char *out,
                             size_t out_bytes, sam_error *err)
{
    char stem[64];
    size_t n = 0;
    const known_model *c = NULL;
    if (model)
        TRY(known_model_find(model, &c, err));
    const char *base = base_name(in), *dot = strrchr(base, '.');
    for (const char *p = base; *p && p != dot && n + 1 < sizeof stem; p++)
        stem[n++] = isalnum((unsigned char)*p) || strchr("._+-", *p) ? *p : '_';
    stem[n] = 0;
    int length = snprintf(out, out_bytes, "%s/%.16s-%s%s%s.v%s.safetensors", dir, sha256, stem, c ? "-as-" : "",
                          c ? c->name : "", CONVERT_FORMAT_VERSION);
    return length > 0 && (size_t)length < out_bytes ? SAM_OK
                                                    : fail(err, SAM_E_ARG, "%s: path in the cache is too long", dir);
}

/* 1 if an earlier run left the converted form of this very file. */
static int is_cached(const char *path, const char *sha256)
{
    st_file f;
    if (st_open(path, &f, NULL) != SAM_OK)
        return 0;
    const char *found = st_meta_get(&f, "source_sha256"), *version = st_meta_get(&f, "format_version");
    int same = found && version && strcmp(found, sha256) == 0 && strcmp(version, CONVERT_FORMAT_VERSION) == 0;
    st_close(&f);
    return same;
}

static sam_status convert_into_cache(const source *s, const char *cache_dir, const char *model, char *out_path,
                                     size_t out_bytes, sam_error *err)
{
    char sha256[DIGEST_TEXT];
    TRY(digest_bytes(s->bytes, s->n_bytes, sha256, err));
    TRY(cache_path(s->path, cache_dir, model, sha256, out_path, out_bytes, err));
    if (is_cached(out_path, sha256))
        return SAM_OK;
    TRY(make_cache(cache_dir, err));
    return convert_source(s, model, sha256, out_path, err);
}

sam_status convert_cached(const char *in, const char *cache_dir, const char *model, char *out_path, size_t out_bytes,
                          sam_error *err)
{
    source s;
    sam_status status;
    TRY(source_open(in, &s, err));
    if (!s.is_converted)
        status = convert_into_cache(&s, cache_dir, model, out_path, out_bytes, err);
    else if ((status = check_converted(&s, model, err)) == SAM_OK) {
        int n = snprintf(out_path, out_bytes, "%s", in);
        if (n < 0 || (size_t)n >= out_bytes)
            status = fail(err, SAM_E_ARG, "%s: path is too long", in);
    }
    source_close(&s);
    return status;
}

/* -------------------------------------------------------------------------------------------- random ---- */

static sam_status write_random(const random_options *opt, const known_model *c, const tensor_set *official,
                               const char *sha256, const char *out, sam_error *err)
{
    char recipe[128];
    const st_meta as_reference = {"format", "pt"};
    if (opt->official)
        return st_write(out, official->tensors, official->n_tensors, &as_reference, 1, err);
    snprintf(recipe, sizeof recipe, "random seed %" PRIu64 " %s%s", opt->seed,
             opt->variant == HASH_STABLE ? "stable" : "unstable", opt->half ? " half" : "");
    return write_converted(c, official, recipe, sha256, out, err);
}

sam_status convert_random(const random_options *opt, const char *out, char *digest, sam_error *err)
{
    const known_model *c;
    tensor_set official;
    char sha256[DIGEST_TEXT];
    TRY(known_model_find(opt->model, &c, err));
    TRY(hash_weights(c, opt->seed, opt->variant, opt->half, &official, err));
    sam_status status = digest_tensors(&official, sha256, err);
    if (status == SAM_OK && out)
        status = write_random(opt, c, &official, sha256, out, err);
    if (status == SAM_OK && digest)
        memcpy(digest, sha256, sizeof sha256);
    tensor_set_free(&official);
    return status;
}
