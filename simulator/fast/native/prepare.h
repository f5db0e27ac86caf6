/* Reads a Program's records once: what timing depends on, and which instructions take equally long. */
#ifndef PULSETRAIN_FAST_PREPARE_H
#define PULSETRAIN_FAST_PREPARE_H
#include "program.h"

enum { FIELDS = 6 };

/* An opcode and the bits of a record's other fields that its times depend on; instructions of one key are of
 * one kind. Which bits: TIMED_BITS of simulator/timing.py. */
struct key {
    uint32_t opcode, fields[FIELDS];
};

struct keyed {
    struct key key;
    int32_t kind;
};

/* Finds the kinds of records. Open addressing: at most half of the places are taken. */
struct reader {
    const uint32_t (*bits)[FIELDS];
    int64_t kinds, room;    /* kinds found so far */
    struct record *records; /* one of each kind */
    struct keyed *places;
    uint64_t size;
    struct keyed latest[OPCODES]; /* what comes next is often of the same kind */
};

void fast_open_reader(struct reader *reader, const uint32_t bits[OPCODES][FIELDS]);
void fast_close_reader(struct reader *reader);

/* What is kept of a record, its kind included. REFUSED when its opcode or a mask does not exist. */
enum outcome fast_read(struct reader *reader, const struct record *record, struct instruction *instruction);

/* The same of all records; REFUSED too when HALT is not the last and the only one. */
enum outcome fast_read_program(struct reader *reader, int64_t n, const struct record *records,
                               struct instruction *instructions);
#endif
