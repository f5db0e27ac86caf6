/* What following a Program keeps: queues, tokens, clocks, and who wrote and read each line last. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LOAD, STORE, WLOAD, MATMUL, DRAIN, TRANSPOSE, VEC, HALT };
enum { SEQUENCER, DMA, LOADER, MATRIX, VECTOR, TRANSPOSER, UNITS };
enum { ACCUMULATE = 1 << 3, SWAP = 1 << 4, INTEGER = 1 << 5, RELEASE = 1 << 15 };
enum { BUFFER, ACCUMULATORS, OFF_CHIP, SPACES = 4 };
enum fault { FINE, TILES, ADDS, CHAIN, TOKEN_MISSING, TOKEN_LEFT, TOKENS_MANY, STUCK, UNWRITTEN, RACE, RUNNING,
             NO_MEMORY };

static const int unit_of[] = {DMA, DMA, LOADER, MATRIX, MATRIX, TRANSPOSER, VECTOR, SEQUENCER};

struct record { /* INSTRUCTION_DTYPE of simulator/isa.py */
    uint32_t opcode, function, wait, post, item, flags, tail, rows, panels, dst, src[3], strides[4];
};
_Static_assert(sizeof(struct record) == 68, "INSTRUCTION_DTYPE");

struct __attribute__((packed)) region { /* REGION_DTYPE of regions.py */
    int64_t instruction, memory;
    uint8_t write;
    int64_t field, base, panels, length, stride, sub;
    uint8_t adds;
};
_Static_assert(sizeof(struct region) == 66, "REGION_DTYPE");

struct clock { /* per unit: how many of its instructions have ended */
    int32_t of[UNITS];
};

/* First in, first out; the entries are `width` numbers each. */
struct queue {
    int32_t *at;
    int64_t head, count, capacity;
};

static int32_t *add(struct queue *queue, int width)
{
    if (queue->count == queue->capacity) {
        int64_t capacity = queue->capacity ? 2 * queue->capacity : 16;
        int32_t *larger = malloc((size_t)(capacity * width) * sizeof *larger);
        if (!larger)
            return NULL;
        for (int64_t i = 0; i < queue->count; ++i)
            memcpy(larger + i * width, queue->at + (queue->head + i) % queue->capacity * width,
                   (size_t)width * sizeof *larger);
        free(queue->at);
        *queue = (struct queue){larger, 0, queue->count, capacity};
    }
    return queue->at + (queue->head + queue->count++) % queue->capacity * width;
}

static int32_t *first(const struct queue *queue, int width)
{
    return queue->at + queue->head * width;
}

static void drop(struct queue *queue)
{
    queue->head = (queue->head + 1) % queue->capacity;
    --queue->count;
}

/* Dispatch, queues, tokens and the weight FIFO without time. `lazy`: a unit that executes an instruction only
 * when nothing else is possible, NONE otherwise. */
enum { NONE = -1, ENTRY = 4 };
struct replay {
    int lazy;
    int32_t most; /* tokens that the lazy unit has left in a counter */
    struct queue queues[UNITS]; /* opcode, flags, wait, post */
    int32_t tokens[UNITS][UNITS];
    int64_t loaded, swapped, released;
};

struct lines { /* one on-chip memory; numbers are those of instructions within their unit */
    int64_t size, writers, readers;
    int32_t *written, *read; /* [unit][granule]: the last one that wrote (read) it; 0: none did */
    uint8_t *ever;           /* [sub-line][granule]: written at all */
};

struct follower {
    int64_t depth, slots, releasing, output_stationary, must_release, replays;
    int64_t number; /* instructions followed */
    struct replay replay[1 + UNITS];
    /* tiles and chains */
    struct queue loaded; /* rows and item of the tiles that are not swapped in yet */
    int32_t rows, item;
    int active, released, chain;
    int64_t dst, dst_rows, sub; /* of the latest MATMUL, dst NONE: none */
    /* tokens in program order */
    int64_t posts[UNITS][UNITS], waits[UNITS][UNITS], outstanding[UNITS];
    /* clocks */
    struct clock started[UNITS], ended[UNITS];
    struct queue clocks[UNITS][UNITS], tiles;
    int32_t issued[UNITS];
    struct lines memory[2];
    uint64_t *off_chip[SPACES]; /* a bit for each granule: written */
    int64_t off_chip_size[SPACES];
};

static const int row_of_writer[UNITS] = {NONE, 0, NONE, 0, 1, 2}; /* MATRIX writes accumulators alone */
static const int row_of_reader[2][UNITS] = {{NONE, 0, 1, 2, 3, 4}, {NONE, NONE, NONE, NONE, 0, NONE}};
static const int writers_of[2][3] = {{DMA, VECTOR, TRANSPOSER}, {MATRIX, NONE, NONE}};
static const int readers_of[2][5] = {{DMA, LOADER, MATRIX, VECTOR, TRANSPOSER}, {VECTOR, NONE, NONE, NONE, NONE}};
