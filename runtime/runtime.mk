# SPDX-License-Identifier: MIT
# The three programs of a bundle. stub and launch are static and built against musl; the guest
# object has no libc at all: it binds to the one that the bundle carries.

include runtime/stub/stub.mk
include runtime/launch/launch.mk
include runtime/guest/guest.mk
