#include "storage/filesystem.h"

namespace quire::storage {
namespace {

struct Known {
  std::uint32_t type;
  FilesystemKind kind;
};

// The magic numbers of statfs(2); linux/magic.h lacks half of them.
constexpr Known kKnown[] = {
    {0x0000ef53, {"ext4", true, false}},  // ext2 and ext3 too: the same driver
    {0x58465342, {"XFS", true, false}},      {0x9123683e, {"btrfs", true, false}},
    {0xf2f52010, {"F2FS", true, false}},     {0x2fc12fc1, {"ZFS", true, false}},
    {0xca451a4e, {"bcachefs", true, false}}, {0x794c7630, {"overlayfs", true, false}},
    {0x01021994, {"tmpfs", true, true}},     {0x858458f6, {"ramfs", true, true}},
    {0x00006969, {"NFS", false, false}},     {0x0000517b, {"SMB", false, false}},
    {0xff534d42, {"CIFS", false, false}},    {0xfe534d42, {"SMB2", false, false}},
    {0x01021997, {"9p", false, false}},      {0x5346414f, {"AFS", false, false}},
    {0x6b414653, {"AFS", false, false}},     {0x73757245, {"Coda", false, false}},
    {0x00c36400, {"Ceph", false, false}},    {0x0bd00bd0, {"Lustre", false, false}},
    {0x01161970, {"GFS2", false, false}},    {0x7461636f, {"OCFS2", false, false}},
    {0x65735546, {"FUSE", false, false}},  // virtiofs too
    {0x786f4256, {"vboxsf", false, false}},  {0xbacbacbc, {"vmhgfs", false, false}},
    {0x00004d44, {"FAT", false, false}},     {0x2011bab0, {"exFAT", false, false}},
    {0x7366746e, {"NTFS", false, false}},
};

}  // namespace

FilesystemKind filesystem_kind(std::uint64_t type) noexcept {
  for (const Known& known : kKnown) {
    if (known.type == type) return known.kind;
  }
  return {.name = "unknown", .is_supported = false, .is_memory = false};
}

}  // namespace quire::storage
