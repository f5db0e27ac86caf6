/* How long instructions take on LANES machines: simulator/timing.py, which defines it, once more for speed.
 *
 * The including file defines NAME(x), LANES, TARGET and NUMBER, the type to compute with: double, whose vectors
 * every instruction set has, or int64_t. */

#define NUMBERS_OF(name) name[LANES] __attribute__((aligned(LANES == 1 ? sizeof(NUMBER) : 64)))
#define EVERY for (int l = 0; l < LANES; ++l)
#define OF(number) m->of[(number) - SHARED]

#ifndef PULSETRAIN_FAST_TIMES_H
#define PULSETRAIN_FAST_TIMES_H

#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#define HELPER static inline __attribute__((always_inline))

enum { OCCUPANCY, LATENCY, RELEASED, TIMES };
enum { IN_PLACE, ADDS_AFTER, ARRAY_TIMES };

/* Functions of simulator/isa.py that take more than a cycle per beat. */
enum { F_DIVIDE = 7, F_SQRT = 8, F_EXP = 16, F_TANH = 18, F_REDUCE_SUM = 24, F_REDUCE_MIN = 26 };

#define EXACT 2251799813685248.0 /* 2^51: quotients of smaller doubles are rounded rightly */
enum { FIELD = 1 << 20 };        /* what all fields of an instruction are below: products fit 63 bits */

/* ceil(x / y); adding 2^52 rounds to whole numbers. */
HELPER double quotient_of_double(double x, double y)
{
    double rounded = x / y + 2 * EXACT - 2 * EXACT;
    return rounded * y < x ? rounded + 1 : rounded;
}

HELPER int64_t quotient_of_int64_t(int64_t x, int64_t y) { return (x + y - 1) / y; }

/* ceil(bytes * denominator / numerator) */
HELPER double transfer_of_double(double bytes, double numerator, double denominator)
{
    return quotient_of_double(bytes * denominator, numerator);
}

HELPER int64_t transfer_of_int64_t(int64_t bytes, int64_t numerator, int64_t denominator)
{
    int64_t x;
    if (!__builtin_mul_overflow(bytes, denominator, &x) && x < INT64_MAX - numerator)
        return quotient_of_int64_t(x, numerator);
    __int128 cycles = ((__int128)bytes * denominator + numerator - 1) / numerator;
    return cycles < INT64_MAX / 2 ? (int64_t)cycles : INT64_MAX / 2; /* which is refused */
}
#endif

#define JOINED(a, b) a##b
#define WITH(name, number) JOINED(name, number)
#define QUOTIENT WITH(quotient_of_, NUMBER)
#define TRANSFER WITH(transfer_of_, NUMBER)

struct NAME(machines) {
    int64_t shared[SHARED];
    NUMBER NUMBERS_OF(of[NUMBERS - SHARED]);
    NUMBER NUMBERS_OF(beats);   /* of a line */
    NUMBER NUMBERS_OF(result);  /* a row's entry to its complete result at the array's edge */
    NUMBER NUMBERS_OF(release); /* a MATMUL's start to the next first weight line, but for its rows */
    NUMBER NUMBERS_OF(array[ARRAY_TIMES]);
    double denominator; /* the largest */
};

/* The machines `at` out of `count`; unused lanes repeat the last. */
static TARGET void NAME(read_machines)(struct NAME(machines) *m, const int64_t *numbers, int64_t count,
                                       const int64_t *at, int used)
{
    for (int i = 0; i < SHARED; ++i)
        m->shared[i] = numbers[i * count + at[0]];
    for (int i = SHARED; i < NUMBERS; ++i)
        EVERY OF(i)[l] = (NUMBER)numbers[i * count + at[l < used ? l : used - 1]];
    NUMBER rows = (NUMBER)m->shared[ROWS], columns = (NUMBER)m->shared[COLS], line = (NUMBER)m->shared[LINE];
    int overlap = m->shared[OVERLAP] != 0;
    m->denominator = 0;
    EVERY {
        NUMBER down = OF(DOWN)[l], delay = OF(PE)[l] + down - 1, read = OF(READ)[l];
        NUMBER late = delay - 1 - down, ahead = 1 + down - delay;
        NUMBER rows_before = 1 + (rows - 1) * LARGER(0, late), weights_before = 1 + (rows - 1) * LARGER(0, ahead);
        m->beats[l] = QUOTIENT(line, OF(LANES_OF_VECTOR)[l]);
        m->result[l] = rows * delay + (columns - 1) * OF(ACROSS)[l];
        m->release[l] = read + (overlap ? rows_before : m->result[l]);
        m->array[IN_PLACE][l] = LARGER(weights_before, rows - 1) - read;
        m->array[ADDS_AFTER][l] = OF(ADDER)[l];
        m->denominator = LARGER(m->denominator, (double)OF(HOST_DENOMINATOR)[l]);
        m->denominator = LARGER(m->denominator, (double)OF(HBM_DENOMINATOR)[l]);
    }
}

/* Occupancy, latency and release of one kind of instruction; 0 where they may not be exact. */
static TARGET int NAME(kind)(const struct NAME(machines) *m, const struct record *k, NUMBER *restrict occupancy,
                             NUMBER *restrict latency, NUMBER *restrict release)
{
    NUMBER rows = (NUMBER)k->rows, panels = (NUMBER)k->panels, lines = (NUMBER)m->shared[ROWS];
    if (k->rows >= FIELD || k->panels >= FIELD || k->tail >= FIELD || k->item > 2)
        return 0;
    EVERY occupancy[l] = latency[l] = 1;
    EVERY release[l] = 0;
    switch (k->opcode) {
    case LOAD:
    case STORE: {
        int host = k->flags & HOST;
        NUMBER bytes = rows * panels * (NUMBER)(m->shared[LINE] << k->item);
        const NUMBER *over = OF(host ? HOST_NUMERATOR : HBM_NUMERATOR);
        const NUMBER *under = OF(host ? HOST_DENOMINATOR : HBM_DENOMINATOR);
        const NUMBER *after = OF(k->opcode == STORE ? READ : host ? HOST_LATENCY : HBM_LATENCY);
        EVERY {
            occupancy[l] = TRANSFER(bytes, over[l], under[l]);
            latency[l] = occupancy[l] + LARGER(after[l], OF(READ)[l]);
        }
        return (NUMBER)1 / 2 == 0 || (double)bytes * m->denominator < EXACT;
    }
    case WLOAD:
        EVERY {
            occupancy[l] = lines;
            latency[l] = lines + OF(READ)[l];
        }
        break;
    case MATMUL:
        if (m->shared[OUTPUT_STATIONARY]) {
            NUMBER last_row = lines - 1, last_column = (NUMBER)(m->shared[COLS] - 1);
            EVERY {
                occupancy[l] = rows * OF(PE)[l];
                latency[l] = OF(READ)[l] + occupancy[l] + last_row * OF(DOWN)[l] + last_column * OF(ACROSS)[l];
            }
        } else {
            EVERY {
                occupancy[l] = rows;
                latency[l] = OF(READ)[l] + rows - 1 + m->result[l] + OF(ADDER)[l];
            }
        }
        if (m->shared[OVERLAP] && m->shared[WEIGHT_BUFFERS] == 2)
            rows = 1;
        EVERY release[l] = m->release[l] + rows - 1;
        break;
    case DRAIN:
        EVERY {
            occupancy[l] = lines;
            latency[l] = lines - 1 + OF(ADDER)[l];
        }
        break;
    case TRANSPOSE:
        EVERY {
            occupancy[l] = rows + (NUMBER)k->tail;
            latency[l] = occupancy[l] + OF(READ)[l];
        }
        break;
    case VEC: {
        int function = (int)k->function, iterative = F_DIVIDE;
        if (function >= F_REDUCE_SUM && function <= F_REDUCE_MIN) {
            EVERY {
                NUMBER row = LARGER(m->beats[l], OF(ALU)[l]);
                latency[l] = OF(READ)[l] + panels * (rows * row + m->beats[l]);
            }
        } else if (function == F_DIVIDE || function == F_SQRT || (function >= F_EXP && function <= F_TANH)) {
            iterative = function == F_DIVIDE ? DIVIDE : function == F_SQRT ? SQRT : TABLE;
            EVERY latency[l] = OF(READ)[l] + rows * panels * m->beats[l] * OF(iterative)[l] + 1;
        } else {
            EVERY latency[l] = OF(READ)[l] + rows * panels * m->beats[l] + OF(ALU)[l];
        }
        EVERY occupancy[l] = latency[l];
        break;
    }
    }
    return 1;
}

/* The times of all kinds, [kind][TIMES][LANES], and the constants of the array. Gives what is more than the
 * cycles of any of the machines, or 0 where the times may not be exact or something takes no time.
 *
 * Every cycle of the recurrence is another one plus something that one instruction takes. Along such a chain an
 * instruction is dispatched, starts, ends and shifts weights at most once, so no chain is longer than the sum
 * of all that all instructions take. */
static TARGET double NAME(times)(const struct NAME(machines) *m, const struct program *program, TIME *times,
                                 TIME *array)
{
    NUMBER NUMBERS_OF(occupancy), NUMBERS_OF(latency), NUMBERS_OF(release);
    double bound = 0, widest = 0;
    EVERY {
        NUMBER in_place = m->array[IN_PLACE][l];
        double of_all = (double)(LARGER(in_place, -in_place) + m->array[ADDS_AFTER][l] + 2 * OF(READ)[l]);
        widest = LARGER(widest, of_all);
    }
    bound = (double)program->n * (widest + 2.0 * (double)m->shared[ROWS] + 4);
    for (int i = 0; i < ARRAY_TIMES; ++i)
        EVERY array[i * LANES + l] = (TIME)m->array[i][l];
    for (int64_t kind = 0; kind < program->kinds; ++kind, times += TIMES * LANES) {
        if (!NAME(kind)(m, &program->of_kind[kind], occupancy, latency, release))
            return 0;
        NUMBER least = 1;
        double most = 0;
        EVERY {
            NUMBER shorter = occupancy[l] < latency[l] ? occupancy[l] : latency[l];
            double all = (double)occupancy[l] + (double)latency[l] + (double)release[l];
            least = shorter < least ? shorter : least;
            most = LARGER(most, all);
            times[OCCUPANCY * LANES + l] = (TIME)occupancy[l];
            times[LATENCY * LANES + l] = (TIME)latency[l];
            times[RELEASED * LANES + l] = (TIME)release[l];
        }
        if (least < 1)
            return 0;
        bound += (double)program->count[kind] * most;
    }
    return bound;
}

#undef NUMBERS_OF
#undef EVERY
#undef OF
#undef QUOTIENT
#undef TRANSFER
