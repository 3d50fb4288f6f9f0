/* folders.h - makes folders for what is written. */
#ifndef FOLDERS_H
#define FOLDERS_H

#include "error.h"

/* Makes `folder` and those above it that are missing. */
sam_status folders_make(const char *folder, sam_error *err);
/* The same for the folder a file is to lie in. */
sam_status folders_make_for(const char *file, sam_error *err);

#endif
