/* Copies between strided arrays: transposes, slices, concatenations, broadcasts. */
#include "operations.h"

static void move_row(char *to, const char *from, struct axis axis, ptrdiff_t bytes)
{
    if (axis.source_stride == bytes && axis.target_stride == bytes) {
        memcpy(to, from, (size_t)(axis.length * bytes));
        return;
    }
    for (ptrdiff_t i = 0; i < axis.length; ++i, from += axis.source_stride, to += axis.target_stride) {
        if (bytes == 4)
            memcpy(to, from, 4);
        else
            memcpy(to, from, (size_t)bytes);
    }
}

static void move_axes(char *to, const char *from, const struct axis *axes, ptrdiff_t count, ptrdiff_t bytes)
{
    if (count == 1) {
        move_row(to, from, axes[0], bytes);
        return;
    }
    for (ptrdiff_t i = 0; i < axes[0].length; ++i)
        move_axes(to + i * axes[0].target_stride, from + i * axes[0].source_stride, axes + 1, count - 1, bytes);
}

void move(const int64_t *words, char *const *buffers)
{
    struct move_words given;
    memcpy(&given, words, sizeof given);
    const struct axis *axes = (const struct axis *)(words + sizeof given / sizeof *words);
    move_axes(buffers[given.target] + given.target_offset, buffers[given.source] + given.source_offset, axes,
              given.axes, given.bytes);
}
