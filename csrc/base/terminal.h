/* terminal.h: what a program asks of the terminal it runs on. */
#ifndef PT_TERMINAL_H
#define PT_TERMINAL_H

#include <stdbool.h>

/* Columns of the terminal that the descriptor is; 0 where it is something else or does not say. */
int pt_terminal_columns(int descriptor);

/* Waits at most `seconds` until reading from the descriptor would not block, or a signal comes.
 * Returns whether reading would not block. */
bool pt_terminal_readable(int descriptor, double seconds);

#endif
