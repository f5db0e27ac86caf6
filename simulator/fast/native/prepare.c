#include "prepare.h"

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

/* The place of a key, or the free one where it belongs. */
static struct keyed *find(const struct reader *reader, const struct key *key)
{
    uint64_t at = hash(key) & (reader->size - 1);
    while (reader->places[at].kind >= 0 && !equal(&reader->places[at].key, key))
        at = (at + 1) & (reader->size - 1);
    return &reader->places[at];
}

static int grow(struct reader *reader)
{
    struct reader larger = {.size = reader->size ? 2 * reader->size : 256};
    larger.places = malloc(larger.size * sizeof *larger.places);
    if (!larger.places)
        return 0;
    for (uint64_t i = 0; i < larger.size; ++i)
        larger.places[i].kind = -1;
    for (uint64_t i = 0; i < reader->size; ++i)
        if (reader->places[i].kind >= 0)
            *find(&larger, &reader->places[i].key) = reader->places[i];
    free(reader->places);
    reader->places = larger.places;
    reader->size = larger.size;
    return 1;
}

static int add_kind(struct reader *reader, const struct record *record)
{
    if (reader->kinds == reader->room) {
        int64_t room = reader->room ? 2 * reader->room : 64;
        struct record *records = realloc(reader->records, (size_t)room * sizeof *records);
        if (!records)
            return 0;
        reader->records = records;
        reader->room = room;
    }
    reader->records[reader->kinds++] = *record;
    return 1;
}

void fast_open_reader(struct reader *reader, const uint32_t bits[OPCODES][FIELDS])
{
    *reader = (struct reader){.bits = bits};
    for (int opcode = 0; opcode < OPCODES; ++opcode)
        reader->latest[opcode] = (struct keyed){.key = {.opcode = OPCODES}};
}

void fast_close_reader(struct reader *reader)
{
    free(reader->records);
    free(reader->places);
}

static inline enum outcome read_one(struct reader *reader, const struct record *r,
                                    struct instruction *instruction)
{
    if (r->opcode >= OPCODES || (r->wait | r->post) >> UNITS)
        return REFUSED;
    struct keyed *latest = &reader->latest[r->opcode];
    struct key key = key_of(r, reader->bits);
    if (!equal(&latest->key, &key)) {
        if (2 * (uint64_t)reader->kinds >= reader->size && !grow(reader))
            return NO_MEMORY;
        struct keyed *place = find(reader, &key);
        if (place->kind < 0) {
            *place = (struct keyed){key, (int32_t)reader->kinds};
            if (!add_kind(reader, r))
                return NO_MEMORY;
        }
        *latest = *place;
    }
    uint32_t flags = (r->flags & (RELEASE - 1)) | (r->flags >> RELEASE_SHIFT & RELEASE);
    *instruction = (struct instruction){(uint8_t)r->opcode, (uint8_t)r->wait, (uint8_t)r->post, (uint8_t)flags,
                                        latest->kind};
    return DONE;
}

enum outcome fast_read(struct reader *reader, const struct record *record, struct instruction *instruction)
{
    return read_one(reader, record, instruction);
}

enum outcome fast_read_program(struct reader *reader, int64_t n, const struct record *records,
                               struct instruction *instructions)
{
    if (!n || records[n - 1].opcode != HALT)
        return REFUSED;
    enum outcome outcome = DONE;
    for (int64_t i = 0; i < n && outcome == DONE; ++i)
        outcome = records[i].opcode == HALT && i != n - 1 ? REFUSED
                                                          : read_one(reader, &records[i], &instructions[i]);
    return outcome;
}

/* Fills `instructions`, and for every kind its first instruction and how many there are, with room for n. Gives
 * the number of kinds, or what `fast_read_program` says, negative. */
EXPORT int64_t pulsetrain_fast_prepare(int64_t n, const struct record *records,
                                       const uint32_t bits[OPCODES][FIELDS], struct instruction *instructions,
                                       int64_t *first, int64_t *count)
{
    struct reader reader;
    fast_open_reader(&reader, bits);
    enum outcome outcome = fast_read_program(&reader, n, records, instructions);
    int64_t kinds = 0;
    for (int64_t i = 0; outcome == DONE && i < n; ++i) {
        int32_t kind = instructions[i].kind;
        if (kind == kinds) { /* kinds are numbered as they come */
            first[kinds] = i;
            count[kinds++] = 0;
        }
        ++count[kind];
    }
    fast_close_reader(&reader);
    return outcome == DONE ? kinds : -(int64_t)outcome;
}
