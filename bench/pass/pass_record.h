/* pass_record.h - an observer of object_pass for `sambench report`: a line for each frame with its time and scores in
 * OUT_DIR/frames/VIDEO__objOBJECT__MODEL.csv, and a picture of the frame with the lowest J in worst/. */
#ifndef PASS_RECORD_H
#define PASS_RECORD_H

#include "contact_sheet.h"
#include "pass_score.h"
#include "text_out.h"

/* The first three fields are the caller's. */
typedef struct pass_record {
    const char *out_dir;
    const pass_score *score; /* an observer before this one; NULL: frames are not scored */
    int draws_worst;         /* the picture; needs pixels and scores                     */
    int output_failed;       /* a file could not be written                              */
    text_out lines;
    char path[4096];
    sheet *worst; /* the scored frame with the lowest J */
    double worst_j;
} pass_record;

pass_observer pass_record_observer(pass_record *r);
/* A record that was not finished leaves no file. */
void pass_record_free(pass_record *r);

#endif
