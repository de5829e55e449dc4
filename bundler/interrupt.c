/* SPDX-License-Identifier: MIT */
#include "bundler/interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int held[] = {SIGINT, SIGTERM, SIGHUP};

enum { HELD = sizeof(held) / sizeof(held[0]) };

/* A handler has nothing but globals. */
static volatile sig_atomic_t noted;
static struct sigaction before[HELD];

static void note(int signal_number)
{
    noted = signal_number;
}

void interrupt_hold(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = (int)SA_RESETHAND};

    for (size_t i = 0; i < HELD; i++) {
        (void)sigaction(held[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            (void)sigaction(held[i], &action, NULL);
    }
}

bool interrupt_noted(void)
{
    return noted != 0;
}

void interrupt_release(void)
{
    int number = noted;

    for (size_t i = 0; i < HELD; i++)
        (void)sigaction(held[i], &before[i], NULL);
    noted = 0;
    if (number != 0)
        (void)raise(number);
}
