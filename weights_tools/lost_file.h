/* lost_file.h - what a program says when a file that it has mapped becomes shorter under it. */
#ifndef LOST_FILE_H
#define LOST_FILE_H

/* Weights and prepared frames are mapped, and reading a page that the file no longer has raises SIGBUS. From now on that
 * ends the process with status 1 and a line that names the file. For main(), not for libraries. */
void lost_file_watch(void);

#endif
