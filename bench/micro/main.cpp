// bench-micro: parts of quire, each by itself.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
