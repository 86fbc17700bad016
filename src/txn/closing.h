// What the last process does when it leaves: it packs the file, writes a clean checkpoint, and cuts
// off what is free at the end.
#pragma once

#include "txn/store.h"

namespace quire::txn {

// The caller is alone and stays so. When something was written since the file was opened and much
// of it would be free, moves what stands at its end to the beginning, a limited amount each time;
// ends with both metas clean. Then cuts the file where they say that it ends, unless some process
// that may only read has pinned a state. Throws Errc::poisoned, corrupt, no_space, io: the file is
// left as after a death.
//
// Nobody meets the end of the file on the way: writers and readers with slots are gone; who may
// only read pins first and reads the metas afterwards. If they say "closed" then, he looks at
// nothing beyond the pages that they count; if they do not, nobody cuts without having seen his
// pin.
void close_as_last(Store& store);

}  // namespace quire::txn
