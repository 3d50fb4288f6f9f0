#include "state_dict.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 3, ITEMS_MAX = 4 << 20 };

/* How `torch.load` of the official builders and of training tools is followed by a key. */
static const char *const usual[] = {"model", "state_dict", "model_state_dict"};

typedef struct search {
    const pickle_value *best, *rival; /* rival: another dict of as many tensors */
    size_t n_best;
    char part[STATE_DICT_PART], rival_part[STATE_DICT_PART];
    size_t n_items; /* looked at; a dict that is in many places is looked at in each */
} search;

static size_t count_tensors(const pickle_value *dict)
{
    size_t n = 0;
    for (size_t i = 0; i + 1 < dict->n_items; i += 2)
        n += dict->items[i]->kind == PICKLE_STRING && dict->items[i + 1]->kind == PICKLE_TENSOR;
    return n;
}

static void consider(search *s, const pickle_value *dict, const char *part)
{
    size_t n = count_tensors(dict);
    if (n > s->n_best) {
        s->best = dict;
        s->rival = NULL;
        s->n_best = n;
        snprintf(s->part, sizeof s->part, "%s", part);
    } else if (n > 0 && n == s->n_best && dict != s->best && !s->rival) {
        s->rival = dict;
        snprintf(s->rival_part, sizeof s->rival_part, "%s", part);
    }
}

static void visit(search *s, const pickle_value *dict, const char *part, int depth)
{
    char inner[STATE_DICT_PART];
    s->n_items += dict->n_items + 1;
    if (s->n_items > ITEMS_MAX)
        return;
    consider(s, dict, part);
    for (size_t i = 0; i + 1 < dict->n_items && depth < DEPTH_MAX; i += 2) {
        const pickle_value *key = dict->items[i], *value = dict->items[i + 1];
        if (key->kind != PICKLE_STRING || value->kind != PICKLE_DICT)
            continue;
        snprintf(inner, sizeof inner, "%s%s%.*s", part, part[0] ? "." : "", (int)(key->n_text < 40 ? key->n_text : 40),
                 key->text);
        visit(s, value, inner, depth + 1);
    }
}

sam_status state_dict_find(const char *path, const pickle_value *root, const pickle_value **out,
                           char part[STATE_DICT_PART], sam_error *err)
{
    search s = {.best = NULL};
    if (root->kind != PICKLE_DICT)
        return fail(err, SAM_E_FORMAT,
                    "%s: expected a dict of tensors or {\"model\": dict}; save it so: "
                    "torch.save({'model': model.state_dict()}, path)",
                    path);
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++) {
        const pickle_value *inside = pickle_get(root, usual[i]);
        if (inside && inside->kind == PICKLE_DICT && count_tensors(inside) > 0) {
            *out = inside;
            snprintf(part, STATE_DICT_PART, "%s", usual[i]);
            return SAM_OK;
        }
    }
    visit(&s, root, "", 0);
    if (s.n_items > ITEMS_MAX)
        return fail(err, SAM_E_FORMAT, "%s: more entries than a checkpoint has", path);
    if (s.rival)
        return fail(err, SAM_E_FORMAT,
                    "%s: %zu tensors under %s and as many under %s: save the ones you want: "
                    "torch.save({'model': those}, path)",
                    path, s.n_best, s.part[0] ? s.part : "the file itself", s.rival_part);
    *out = s.best ? s.best : root;
    snprintf(part, STATE_DICT_PART, "%s", s.part);
    return SAM_OK;
}
