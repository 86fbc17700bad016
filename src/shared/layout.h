// The shared region, byte by byte: how the processes that use one database meet in `<file>.lock`.
// It holds no durable truth: whoever is alone rebuilds it. Native byte order and types, so a header
// says which kind of process made it.
//
// Words that may be read while others write them are atomics. Each hot word has a cache line of its
// own.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <pthread.h>

#include "shared/event.h"

namespace quire::shared {

inline constexpr std::uint64_t kRegionMagic = 0x006b636f6c2d7571;  // "qu-lock", as stored
inline constexpr std::uint32_t kLayoutVersion = 6;

// What must agree before a process may touch a lock in here.
struct RegionHeader {
  std::uint64_t magic;
  std::uint32_t layout_version;
  std::uint32_t word_bytes;   // sizeof(void*)
  std::uint32_t mutex_bytes;  // sizeof(pthread_mutex_t)
  std::uint32_t libc;         // 1 glibc, 2 another
  std::uint64_t data_device;  // the data file that it belongs to
  std::uint64_t data_inode;
};

// Stages of a checkpoint (rule 12, 13). From meta_stored on it can only be completed.
enum class CheckpointStage : std::uint32_t {
  none = 0,
  sealing = 1,       // K is pinned, nothing of it is named by a meta yet
  meta_stored = 2,   // a meta naming K may be on disk
  releasing = 3,     // both metas name K; what only C used waits for a writer to release it
  log_prepared = 4,  // no checkpoint runs; what is acquired is a larger log for the next one
};

inline constexpr std::size_t kCheckpointRuns = 4;
inline constexpr std::size_t kMetaWords = 33;

struct Run {
  std::uint32_t first_page;
  std::uint32_t page_count;
};

struct CheckpointWords {
  std::atomic<CheckpointStage> stage;
  std::atomic<std::uint32_t>
      holds_writer_lock;  // 1: commit point of its transaction is meta_stored (rule 11)
  std::atomic<std::uint32_t>
      runs_move;  // 1: a holder of the writer lock takes or gives back some of those below
  std::atomic<std::uint64_t> current;  // C, a transaction id
  std::atomic<std::uint64_t> pending;  // K; 0 = none
  std::array<std::atomic<std::uint64_t>, kCheckpointRuns>
      acquired;  // runs taken for K's metas, as pack_run
  std::array<std::atomic<std::uint64_t>, kCheckpointRuns>
      replaced;                                // runs that only C's metas name
  std::atomic<std::uint64_t> first_meta_slot;  // where K's meta goes first
  std::array<std::atomic<std::uint64_t>, kMetaWords>
      meta;  // K's meta, for whoever has to complete it
};

inline constexpr std::uint64_t pack_run(Run run) noexcept {
  return std::uint64_t{run.page_count} << 32 | run.first_page;
}
inline constexpr Run unpack_run(std::uint64_t packed) noexcept {
  return {static_cast<std::uint32_t>(packed), static_cast<std::uint32_t>(packed >> 32)};
}

struct Control {
  alignas(64) std::atomic<std::uint32_t> ready;  // boot_here(): initialised and recovered since the
                                                 // system was started; anything else: not
  std::atomic<std::uint32_t> poisoned;  // 1: a flush failed (rule 6); outlives the last close
  std::atomic<std::uint32_t>
      poisoned_before;  // 1: so it was in an earlier life and no recovery has ended since
  std::atomic<std::uint32_t> closing;                // processes that are trying to be the last
  alignas(64) std::atomic<std::uint64_t> visible;    // V
  alignas(64) std::atomic<std::uint64_t> published;  // P
  alignas(64) std::atomic<std::uint64_t> durable;    // D, an LSN
  alignas(64) EventWord flush_event;                 // signalled by every flush
  std::atomic<std::uint32_t> flush_turn;             // 1: somebody has the flush lock: a hint
  std::atomic<std::uint64_t> flushed_full;  // full commits up to D, as their states count them ...
  std::atomic<std::uint64_t>
      group_sizes;  // ... how many came until the ends of the last two flushes, 32 bits each
  std::atomic<std::uint64_t> flush_nanos;   // what a flush takes, lately: hints, all three
  std::atomic<std::uint32_t> flush_intent;  // 1 + process slot of the one that flushes; 0 = nobody
  std::atomic<std::uint32_t> checkpoint_intent;  // the same for the flushes of a checkpoint
  std::atomic<std::uint32_t>
      overtaken;  // 1: somebody has flushed beside a leader who stood still, and may have wiped his
                  // intent; stays for the region's life
  alignas(64) EventWord commit_event;  // signalled whenever P has grown
  alignas(64)
      std::atomic<std::uint64_t> log_start;  // LSN of the oldest record that recovery would replay
  std::atomic<std::uint64_t> log_run;        // pages of the log, as pack_run
  std::atomic<std::uint64_t> checkpointed_nanos;  // coarse_nanos of the last capture: a hint
  std::atomic<std::uint64_t>
      log_bytes_in_checkpoint;  // taken by others during the last one: a hint
  std::atomic<std::uint64_t>
      log_bytes_justified;  // by the data of the last capture: a hint; 0: there was none
  std::atomic<std::uint64_t>
      log_bytes_refused;  // for want of room, in the region's life: a hint; 0: none
  std::atomic<std::uint32_t>
      oversized_commits;  // that did not fit into the log, in the region's life: a hint
  std::atomic<std::uint32_t> epoch;
  std::atomic<std::uint32_t> clean;  // 1: the metas say so; the first write clears it on disk first
  alignas(64) CheckpointWords checkpoint;
  alignas(64) std::atomic<std::uint32_t> process_slot_count;  // slots ever used
  std::atomic<std::uint32_t> reader_slot_count;               // slots with blocks behind them
  alignas(64) pthread_mutex_t writer_mutex;
  std::atomic<std::uint32_t> writer_inside;  // 1: somebody has the writer lock, or died having it
  std::atomic<std::uint32_t>
      several_namespaces;  // 1: thread ids may repeat: the writer lock is its byte, not the mutex
  std::atomic<std::uint64_t> pid_namespace;  // inode of the first process's
  std::atomic<std::uint64_t> writer;  // who holds the lock, as pack_thread; 0 = nobody: a hint
  std::atomic<std::uint64_t> writer_since;  // coarse_nanos of its taking
  std::atomic<std::uint32_t>
      repair_pending;  // 1: a writer died and what it left is not taken back yet
};

// The newest states, transaction t in slot t mod kStateCount. `sequence` is t while the record is
// whole.
inline constexpr std::uint64_t kStateCount = 64;
inline constexpr std::size_t kStateWords = 31;
struct StateSlot {
  std::atomic<std::uint64_t> sequence;
  std::array<std::atomic<std::uint64_t>, kStateWords> words;
};
static_assert(sizeof(StateSlot) == 256);

// Who is attached. Alive = the slot's byte of the lock file is locked (rule 9); the fields are for
// humans.
struct alignas(64) ProcessSlot {
  std::atomic<std::uint64_t> incarnation;  // random; 0 = the slot is empty
  std::atomic<std::uint64_t> pid;
  std::atomic<std::uint64_t> pid_namespace;
  std::atomic<std::uint64_t> started_seconds;
  std::array<std::atomic<std::uint64_t>, 4> command;  // up to 32 bytes, zero padded
};
static_assert(sizeof(ProcessSlot) == 64);

// One registered snapshot.
struct alignas(64) ReaderSlot {
  std::atomic<std::uint64_t> txn;    // pinned transaction; 0 = none at the moment
  std::atomic<std::uint64_t> owner;  // low half: 1 + process slot, 0 = free; high half: generation
  // For humans: the thread that registered it, and when, by the real-time clock.
  std::atomic<std::uint64_t> thread;
  std::atomic<std::uint64_t> since_seconds;
};
static_assert(sizeof(ReaderSlot) == 64);

// --- offsets
inline constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kControlOffset = 4096;
inline constexpr std::uint64_t kAllocatorControlOffset = 8192;
inline constexpr std::uint64_t kStatesOffset = 16384;
inline constexpr std::uint64_t kFixedBytes = kStatesOffset + kStateCount * sizeof(StateSlot);

inline constexpr std::uint32_t kSlotStep = 64;  // slots that get blocks at a time: one 4 KiB page
inline constexpr std::uint64_t kProcessSlotsMax = 16384;
inline constexpr std::uint64_t kProcessSlotsOffset = kMiB;
inline constexpr std::uint64_t kReaderSlotsMax = kMiB;
inline constexpr std::uint64_t kReaderSlotsOffset = 4 * kMiB;

// The allocator's tables (their meaning is the pages module's): bits for 2^28 pages, 2^26 deferred
// frees of 32 bytes, 2^26 undo runs of 8 bytes, 2^18 segments of 128 parked frees with a header of
// 16 bytes each.
inline constexpr std::uint64_t kPageCapacity = std::uint64_t{1} << 28;
inline constexpr std::uint64_t kDeferredCapacity = std::uint64_t{1} << 26;
inline constexpr std::uint64_t kUndoCapacity = std::uint64_t{1} << 26;
inline constexpr std::uint64_t kSegmentCapacity = std::uint64_t{1} << 18;
inline constexpr std::uint64_t kAreasOffset = 128 * kMiB;
inline constexpr std::uint64_t kBitmapOffset = 136 * kMiB;
inline constexpr std::uint64_t kSegmentsOffset = 192 * kMiB;
inline constexpr std::uint64_t kUndoOffset = 256 * kMiB;
inline constexpr std::uint64_t kDeferredOffset = 1024 * kMiB;
inline constexpr std::uint64_t kParkedOffset = kDeferredOffset + kDeferredCapacity * 32;
inline constexpr std::uint64_t kRegionBytes = kParkedOffset + kSegmentCapacity * 128 * 32;

static_assert(sizeof(RegionHeader) <= kControlOffset);
static_assert(kControlOffset + sizeof(Control) <= kAllocatorControlOffset);
static_assert(kFixedBytes <= kProcessSlotsOffset);
static_assert(kProcessSlotsOffset + kProcessSlotsMax * sizeof(ProcessSlot) <= kReaderSlotsOffset);
static_assert(kReaderSlotsOffset + kReaderSlotsMax * sizeof(ReaderSlot) <= kAreasOffset);
static_assert(kAreasOffset + kPageCapacity / 32768 * 8 <= kBitmapOffset);
static_assert(kBitmapOffset + kPageCapacity / 8 <= kSegmentsOffset);
static_assert(kSegmentsOffset + kSegmentCapacity * 16 <= kUndoOffset);
static_assert(kUndoOffset + kUndoCapacity * 8 <= kDeferredOffset);

// --- bytes that carry locks
// Data file and lock file: held shared while attached, exclusively while initialising or closing as
// the last.
inline constexpr std::uint64_t kAttachedByte = std::uint64_t{1} << 62;
// Data file only: + transaction, held shared by processes that may only read and so have no slot.
inline constexpr std::uint64_t kPinByte = std::uint64_t{1} << 61;
inline constexpr std::uint64_t kPinCount = std::uint64_t{1} << 60;  // ids that can be pinned
// Lock file only.
inline constexpr std::uint64_t kWriterByte = (std::uint64_t{1} << 62) + 1;
inline constexpr std::uint64_t kCheckpointByte = (std::uint64_t{1} << 62) + 2;
inline constexpr std::uint64_t kFlushByte = (std::uint64_t{1} << 62) + 3;
inline constexpr std::uint64_t kProcessByte = std::uint64_t{1} << 61;  // + process slot

}  // namespace quire::shared
