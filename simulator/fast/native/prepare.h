/* Reads a Program's records once: what timing depends on, and which instructions take equally long. */
#ifndef PULSETRAIN_FAST_PREPARE_H
#define PULSETRAIN_FAST_PREPARE_H
#include "program.h"

enum { FIELDS = 6 };

/* One instruction of each kind, and how many there are. */
struct kinds {
    int64_t size, room;
    struct record *records;
    int64_t *count, *first; /* first: where the first one is */
};

enum outcome fast_read_program(int64_t n, const struct record *records, const uint32_t bits[OPCODES][FIELDS],
                          struct instruction *instructions, struct kinds *kinds);
void fast_free_kinds(struct kinds *kinds);
#endif
