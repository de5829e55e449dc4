/* SPDX-License-Identifier: MIT */
#include "runtime/keeper/interrupt.h"

#include <signal.h>
#include <stddef.h>

#include "common/err.h"

/* A handler has nothing but globals. */
static volatile sig_atomic_t came;

static void notice(int number)
{
    came = number;
}

void interrupt_watch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction before;
        struct sigaction after = {.sa_handler = notice};

        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &after, NULL);
    }
    (void)signal(SIGPIPE, SIG_IGN);
}

bool interrupt_came(void)
{
    return came != 0;
}

bool interrupt_check(struct err *err)
{
    return came == 0 || err_set(err, ERR_SYSTEM, "interrupted: nothing was changed");
}

void interrupt_end(void)
{
    if (came == 0)
        return;
    (void)signal(came, SIG_DFL);
    (void)raise(came);
}
