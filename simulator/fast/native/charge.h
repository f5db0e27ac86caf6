/* Why something waited, whatever the type of time. */
#ifndef PULSETRAIN_FAST_CHARGE_H
#define PULSETRAIN_FAST_CHARGE_H
#include <stdint.h>

struct charge { /* what was met last */
    int reason, unit;
    int64_t cause;
};
struct held { /* the sequencer's latest wait for room */
    int64_t until, cause;
    int unit;
};
#endif
