// What quire is to reach, as ratios of figures of one run.
#pragma once

#include <iosfwd>

#include "compare/results.h"

namespace compare {

// Prints every target whose series were measured, whether it holds, and by how much it does not.
void print_targets(const Results& results, std::ostream& out);

}  // namespace compare
