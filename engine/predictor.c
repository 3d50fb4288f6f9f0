#include "predictor.h"

#include <stdio.h>
#include <string.h>

sam_status family_find(const model_family *rows, const char *name, const char *path, const model_family **out,
                       sam_error *err)
{
    char known[200] = "";
    for (const model_family *f = rows; f->name; f++) {
        if (!strcmp(f->name, name)) {
            *out = f;
            return SAM_OK;
        }
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", f->name);
    }
    return fail(err, SAM_E_FORMAT, "%s: a model of the family \"%.40s\"; this build knows %s", path, name, known);
}

int predictor_runs(const predictor *p, sam_mode mode, int by_motion, int id)
{
    if (!(p->modes >> mode & 1))
        return 0;
    int first = mode == SAM_IMAGE ? STEP_IMAGE : STEP_ALONE, end = mode == SAM_IMAGE ? STEP_ALONE : STEP_COUNT;
    for (int step = 0; step < STEP_COUNT; step++)
        for (int i = 0; i < p->steps[step].n; i++)
            if (p->steps[step].graph[i] == id && (step == STEP_ENCODE || (step >= first && step < end)) &&
                (step != STEP_FOLLOW || by_motion))
                return 1;
    return 0;
}
