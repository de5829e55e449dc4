# SPDX-License-Identifier: MIT
# A cluster. Not preloaded, as a phased restart wants it.

workers 2
threads 1, 2
worker_timeout 60
