// Marks what the shared library exports; everything else stays hidden.
#pragma once

#define QUIRE_API __attribute__((visibility("default")))
