/* Vector programs: many functions in one pass over memory.
 *
 * The elements are taken in chunks that fit the first-level cache. Within a chunk every instruction runs over all
 * elements before the next; what no other operation reads stays in slots of scratch memory. Every element sees
 * the same functions in the same order as if each ran over the whole array, so chunks and threads change no bit.
 */
#include <stdatomic.h>

#include "operations.h"
#include "pool.h"

/* Elements of a chunk: with 4 bytes each and about ten values alive, half of the first-level cache. */
#define CHUNK 1024
/* Slots that are a multiple of 4096 bytes apart would share cache sets. */
#define SLOT_BYTES (4 * CHUNK + 128)
#define MAX_VALUES 64
/* Instructions times elements that are worth a part of their own. */
#define PART_WORK 65536

struct computation {
    struct compute_words program;
    const struct value *values;
    const struct instruction *instructions;
    char *const *buffers;
    ptrdiff_t rows, columns; /* of a chunk: several whole rows, or a piece of one */
    ptrdiff_t across;        /* chunks from the start of a row to its end */
    ptrdiff_t chunks, part_chunks;
    ptrdiff_t loads; /* values that no instruction gives; they come first */
    atomic_int no_memory;
};

/* `count` copies of one element. */
static void repeat(char *to, const char *element, ptrdiff_t bytes, ptrdiff_t count)
{
    if (bytes == 4) {
        uint32_t value;
        memcpy(&value, element, 4);
        for (ptrdiff_t i = 0; i < count; ++i)
            memcpy(to + 4 * i, &value, 4);
    } else if (bytes == 2) {
        uint16_t value;
        memcpy(&value, element, 2);
        for (ptrdiff_t i = 0; i < count; ++i)
            memcpy(to + 2 * i, &value, 2);
    } else {
        memset(to, *(const unsigned char *)element, (size_t)count);
    }
}

/* What is the same in all chunks: slots have their places, and shared elements and whole rows are repeated. */
static void fill_slots(const struct computation *c, char *scratch, char **at)
{
    for (ptrdiff_t i = 0; i < c->program.values; ++i) {
        const struct value *value = &c->values[i];
        const char *from = value->place == SLOT ? NULL : c->buffers[value->buffer];
        at[i] = scratch + value->slot * SLOT_BYTES;
        if (value->place == ONE)
            repeat(at[i], from, value->bytes, c->rows * c->columns);
        if (value->place == ROW && c->columns == c->program.inner)
            for (ptrdiff_t row = 0; row < c->rows; ++row)
                memcpy(at[i] + row * c->columns * value->bytes, from, (size_t)(c->columns * value->bytes));
    }
}

/* Points `at` to the elements of a chunk of rows x columns that starts at (row, column). */
static void enter_chunk(const struct computation *c, ptrdiff_t row, ptrdiff_t column, ptrdiff_t rows,
                        ptrdiff_t columns, char **at)
{
    for (ptrdiff_t i = 0; i < c->program.values; ++i) {
        const struct value *value = &c->values[i];
        char *base = value->place == SLOT ? NULL : c->buffers[value->buffer];
        if (value->place == ALL)
            at[i] = base + (row * c->program.inner + column) * value->bytes;
        else if (value->place == ROW && c->columns != c->program.inner)
            at[i] = base + column * value->bytes;
        else if (value->place == COLUMN)
            for (ptrdiff_t r = 0; r < rows; ++r)
                repeat(at[i] + r * columns * value->bytes, base + (row + r) * value->bytes, value->bytes,
                       columns);
    }
}

/* Asks for the operands of the chunk that follows: its page is out of reach of the processor's own prefetching. */
static void prefetch_after(const struct computation *c, ptrdiff_t count, char *const *at)
{
    for (ptrdiff_t i = 0; i < c->loads; ++i)
        if (c->values[i].place == ALL) {
            const char *next = at[i] + count * c->values[i].bytes;
            for (ptrdiff_t line = 0; line < count * c->values[i].bytes; line += 64)
                __builtin_prefetch(next + line, 0, 2);
        }
}

static void compute_part(void *context, ptrdiff_t part)
{
    struct computation *c = context;
    char *at[MAX_VALUES], *scratch = reserve((size_t)(c->program.slots * SLOT_BYTES));
    if (!scratch) {
        c->no_memory = 1;
        return;
    }
    fill_slots(c, scratch, at);
    ptrdiff_t first = part * c->part_chunks, end = smaller(first + c->part_chunks, c->chunks);
    for (ptrdiff_t chunk = first; chunk < end; ++chunk) {
        ptrdiff_t row = chunk / c->across * c->rows, column = chunk % c->across * c->columns;
        ptrdiff_t rows = smaller(c->rows, c->program.outer - row);
        ptrdiff_t columns = smaller(c->columns, c->program.inner - column);
        enter_chunk(c, row, column, rows, columns, at);
        if (chunk + 1 < end)
            prefetch_after(c, rows * columns, at);
        for (ptrdiff_t i = 0; i < c->program.instructions; ++i) {
            const struct instruction *step = &c->instructions[i];
            active->functions[step->function].call(rows * columns, at[step->operands[0]],
                                                   at[step->operands[1]], at[step->operands[2]],
                                                   at[step->result]);
        }
    }
}

int compute(const int64_t *words, char *const *buffers)
{
    struct computation c = {.buffers = buffers};
    memcpy(&c.program, words, sizeof c.program);
    c.values = (const struct value *)(words + sizeof c.program / sizeof *words);
    c.instructions = (const struct instruction *)(c.values + c.program.values);
    ptrdiff_t outer = c.program.outer, inner = c.program.inner;
    c.loads = c.program.values - c.program.instructions;
    c.columns = smaller(inner, CHUNK);
    c.rows = smaller(outer, CHUNK / c.columns);
    c.across = (inner + c.columns - 1) / c.columns;
    c.chunks = c.across * ((outer + c.rows - 1) / c.rows);
    c.part_chunks = PART_WORK / (CHUNK * c.program.instructions) + 1;
    if (pool_threads() == 1)
        c.part_chunks = c.chunks;
    pool_share(compute_part, &c, (c.chunks + c.part_chunks - 1) / c.part_chunks);
    return !c.no_memory;
}
