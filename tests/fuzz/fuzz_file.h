/* fuzz_file.h - for parsers that read a file: the fuzzer's bytes as a file of this process. */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include <stddef.h>
#include <stdint.h>

/* The entry point, of libFuzzer and of replay.c. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

/* Writes the bytes to the file `name` (with folders) in a folder of this process in memory, made on the first call. The path
 * is valid until the next call. */
const char *fuzz_file(const char *name, const uint8_t *bytes, size_t n_bytes);
const char *fuzz_folder(void);

#endif
