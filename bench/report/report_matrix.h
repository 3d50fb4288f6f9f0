/* report_matrix.h - the first thing that a report shows: models down, boards across; in each cell speed, J&F and memory. */
#ifndef REPORT_MATRIX_H
#define REPORT_MATRIX_H

#include "report_data.h"

#include <stdio.h>

enum { BOARD_NAME_BYTES = 96 };

/* A column: what groups of results ran on. Two runs on one board share it, unless both have the same model. */
typedef struct report_board {
    char name[BOARD_NAME_BYTES]; /* of its GPU or CPU; where nothing tells it, of the folder */
    int run;                     /* the first folder with it                                */
    int is_earlier;              /* an old run, for comparison: nothing of it is best       */
    int is_mixed;                /* its J&F are by two metrics: none of it is best          */
} report_board;

/* A row: a model with its size and precision. */
typedef struct report_line {
    char name[160];
    int group;       /* the first group of it                     */
    int is_baseline; /* tracking without a model is never the best */
} report_line;

typedef struct report_matrix {
    report_board *boards;
    report_line *lines;      /* the models, then the baselines */
    int *cells;              /* [n_lines, n_boards] group; -1: was not run. NULL: too many to be shown */
    int *line_of, *board_of; /* [n_groups] */
    int n_boards, n_lines;
} report_matrix;

/* Start with {0}; matrix_free also after a failure. */
sam_status matrix_make(report_matrix *m, const results_data *d, sam_error *err);
void matrix_free(report_matrix *m);

/* What a group of results ran on: its GPU, board or CPU; where nothing tells it, the folder. */
void matrix_board_name(const results_data *d, const report_group *g, char name[BOARD_NAME_BYTES]);
/* "sam2_tiny_points 512 bf16": size and type are named where models differ in them. */
void matrix_line_name(const results_data *d, const report_group *g, char *name, size_t n_name);
int matrix_same_line(const report_group *a, const report_group *b); /* model, size and type */

typedef enum matrix_measure { MATRIX_SCORE, MATRIX_SPEED, MATRIX_MEMORY } matrix_measure;
/* The line that is best on a board; -1: none can be. With MATRIX_SCORE only those of at least min_fps count. */
int matrix_best(const report_matrix *m, const results_data *d, int board, matrix_measure by, double min_fps);
/* Whether a group has the best figure of its board, or shares it. */
int matrix_is_best(const report_matrix *m, const results_data *d, int group, matrix_measure by);

/* The table, with the best of each board at min_fps, which a reader can change. */
void matrix_write(FILE *to, const report_matrix *m, const results_data *d, double min_fps);

#endif
