/* Reads a Program's records once: what timing depends on, and which instructions take equally long. */
#include "program.h"

/* INSTRUCTION_DTYPE of simulator/isa.py. */
struct record {
    uint32_t opcode, function, wait, post, item, flags, tail, rows, panels, addresses[4], strides[4];
};
_Static_assert(sizeof(struct record) == 68, "INSTRUCTION_DTYPE");

/* An opcode and the bits of a record's other fields that its times depend on; instructions of one key are of
 * one kind. Which bits: TIMED_BITS of simulator/timing.py. */
enum { FIELDS = 6 };
struct key {
    uint32_t opcode, fields[FIELDS];
};

static inline struct key key_of(const struct record *r, const uint32_t bits[OPCODES][FIELDS])
{
    const uint32_t *of = bits[r->opcode];
    return (struct key){r->opcode, {r->function & of[0], r->item & of[1], r->flags & of[2], r->tail & of[3],
                                    r->rows & of[4], r->panels & of[5]}};
}

static inline int equal(const struct key *a, const struct key *b)
{
    uint32_t differ = a->opcode ^ b->opcode;
    for (int i = 0; i < FIELDS; ++i)
        differ |= a->fields[i] ^ b->fields[i];
    return !differ;
}

static uint64_t hash(const struct key *key)
{
    uint64_t x = key->opcode;
    for (int i = 0; i < FIELDS; ++i)
        x = (x ^ key->fields[i]) * 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

/* Open addressing: at most half of the places are taken. */
struct table {
    struct place {
        struct key key;
        int32_t kind;
    } *places;
    uint64_t size;
};

/* The place of a key, or the free one where it belongs. */
static struct place *find(const struct table *table, const struct key *key)
{
    uint64_t at = hash(key) & (table->size - 1);
    while (table->places[at].kind >= 0 && !equal(&table->places[at].key, key))
        at = (at + 1) & (table->size - 1);
    return &table->places[at];
}

static int grow(struct table *table)
{
    struct table larger = {NULL, table->size ? 2 * table->size : 256};
    larger.places = malloc(larger.size * sizeof *larger.places);
    if (!larger.places)
        return 0;
    for (uint64_t i = 0; i < larger.size; ++i)
        larger.places[i].kind = -1;
    for (uint64_t i = 0; i < table->size; ++i)
        if (table->places[i].kind >= 0)
            *find(&larger, &table->places[i].key) = table->places[i];
    free(table->places);
    *table = larger;
    return 1;
}

enum { INVALID = -1, FULL = -2 };

/* Fills `program`, and for every kind its first instruction and how many there are. Gives the number of kinds;
 * INVALID when an opcode or a mask does not exist or HALT is not the last and the only one; FULL without
 * memory. */
EXPORT int32_t pulsetrain_fast_prepare(int64_t n, const struct record *records,
                                       const uint32_t bits[OPCODES][FIELDS], struct instruction *program,
                                       int64_t *first, int64_t *count)
{
    struct table table = {0};
    struct place latest[OPCODES]; /* what comes next is often of the same kind */
    for (int opcode = 0; opcode < OPCODES; ++opcode)
        latest[opcode] = (struct place){.key = {.opcode = OPCODES}};
    int32_t kinds = n && records[n - 1].opcode == HALT ? 0 : INVALID;
    for (int64_t i = 0; i < n && kinds >= 0; ++i) {
        const struct record *r = &records[i];
        if (r->opcode >= OPCODES || (r->wait | r->post) >> UNITS || (r->opcode == HALT && i != n - 1)) {
            kinds = INVALID;
            break;
        }
        struct key key = key_of(r, bits);
        if (!equal(&latest[r->opcode].key, &key)) {
            if (2 * (uint64_t)kinds >= table.size && !grow(&table)) {
                kinds = FULL;
                break;
            }
            struct place *place = find(&table, &key);
            if (place->kind < 0) {
                *place = (struct place){key, kinds++};
                first[place->kind] = i;
                count[place->kind] = 0;
            }
            latest[r->opcode] = *place;
        }
        int32_t kind = latest[r->opcode].kind;
        ++count[kind];
        uint32_t flags = (r->flags & (RELEASE - 1)) | (r->flags >> 8 & RELEASE);
        program[i] = (struct instruction){(uint8_t)r->opcode, (uint8_t)r->wait, (uint8_t)r->post,
                                          (uint8_t)flags, kind};
    }
    free(table.places);
    return kinds;
}
