#include "prepare.h"

/* An opcode and the bits of a record's other fields that its times depend on; instructions of one key are of
 * one kind. Which bits: TIMED_BITS of simulator/timing.py. */
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

static int add_kind(struct kinds *kinds, const struct record *record, int64_t place)
{
    if (kinds->size == kinds->room) {
        int64_t room = kinds->room ? 2 * kinds->room : 64;
        struct record *records = realloc(kinds->records, (size_t)room * sizeof *records);
        kinds->records = records ? records : kinds->records;
        int64_t *count = realloc(kinds->count, (size_t)room * sizeof *count);
        kinds->count = count ? count : kinds->count;
        int64_t *first = realloc(kinds->first, (size_t)room * sizeof *first);
        kinds->first = first ? first : kinds->first;
        if (!records || !count || !first)
            return 0;
        kinds->room = room;
    }
    kinds->records[kinds->size] = *record;
    kinds->count[kinds->size] = 0;
    kinds->first[kinds->size++] = place;
    return 1;
}

/* REFUSED when an opcode or a mask does not exist or HALT is not the last and the only one. */
enum outcome fast_read_program(int64_t n, const struct record *records, const uint32_t bits[OPCODES][FIELDS],
                          struct instruction *instructions, struct kinds *kinds)
{
    if (!n || records[n - 1].opcode != HALT)
        return REFUSED;
    struct table table = {0};
    struct place latest[OPCODES]; /* what comes next is often of the same kind */
    for (int opcode = 0; opcode < OPCODES; ++opcode)
        latest[opcode] = (struct place){.key = {.opcode = OPCODES}};
    enum outcome outcome = DONE;
    for (int64_t i = 0; i < n; ++i) {
        const struct record *r = &records[i];
        if (r->opcode >= OPCODES || (r->wait | r->post) >> UNITS || (r->opcode == HALT && i != n - 1)) {
            outcome = REFUSED;
            break;
        }
        struct key key = key_of(r, bits);
        if (!equal(&latest[r->opcode].key, &key)) {
            if (2 * (uint64_t)kinds->size >= table.size && !grow(&table)) {
                outcome = NO_MEMORY;
                break;
            }
            struct place *place = find(&table, &key);
            if (place->kind < 0) {
                *place = (struct place){key, (int32_t)kinds->size};
                if (!add_kind(kinds, r, i)) {
                    outcome = NO_MEMORY;
                    break;
                }
            }
            latest[r->opcode] = *place;
        }
        int32_t kind = latest[r->opcode].kind;
        ++kinds->count[kind];
        uint32_t flags = (r->flags & (RELEASE - 1)) | (r->flags >> RELEASE_SHIFT & RELEASE);
        instructions[i] = (struct instruction){(uint8_t)r->opcode, (uint8_t)r->wait, (uint8_t)r->post,
                                               (uint8_t)flags, kind};
    }
    free(table.places);
    return outcome;
}

void fast_free_kinds(struct kinds *kinds)
{
    free(kinds->records);
    free(kinds->count);
    free(kinds->first);
}

/* Fills `instructions`, and for every kind its first instruction and how many there are, with room for n. Gives
 * the number of kinds, or what `fast_read_program` says, negative. */
EXPORT int64_t pulsetrain_fast_prepare(int64_t n, const struct record *records,
                                       const uint32_t bits[OPCODES][FIELDS], struct instruction *instructions,
                                       int64_t *first, int64_t *count)
{
    struct kinds kinds = {0};
    enum outcome outcome = fast_read_program(n, records, bits, instructions, &kinds);
    if (outcome == DONE) {
        memcpy(first, kinds.first, (size_t)kinds.size * sizeof *first);
        memcpy(count, kinds.count, (size_t)kinds.size * sizeof *count);
    }
    fast_free_kinds(&kinds);
    return outcome == DONE ? kinds.size : -(int64_t)outcome;
}
