#include "storage/filesystem.h"

#include <gtest/gtest.h>
#include <linux/magic.h>

namespace quire::storage {
namespace {

TEST(Filesystem, LocalOnesAreSupported) {
  for (const std::uint64_t type :
       {std::uint64_t{EXT4_SUPER_MAGIC}, std::uint64_t{XFS_SUPER_MAGIC},
        std::uint64_t{BTRFS_SUPER_MAGIC}, std::uint64_t{F2FS_SUPER_MAGIC},
        std::uint64_t{OVERLAYFS_SUPER_MAGIC}}) {
    const FilesystemKind kind = filesystem_kind(type);
    EXPECT_TRUE(kind.is_supported) << kind.name;
    EXPECT_FALSE(kind.is_memory) << kind.name;
  }
}

TEST(Filesystem, OnesInMemoryAreSupportedAndKnown) {
  for (const std::uint64_t type : {std::uint64_t{TMPFS_MAGIC}, std::uint64_t{RAMFS_MAGIC}}) {
    const FilesystemKind kind = filesystem_kind(type);
    EXPECT_TRUE(kind.is_supported) << kind.name;
    EXPECT_TRUE(kind.is_memory) << kind.name;
  }
}

TEST(Filesystem, NetworkAndUserSpaceOnesAreNot) {
  for (const std::uint64_t type :
       {std::uint64_t{NFS_SUPER_MAGIC}, std::uint64_t{SMB_SUPER_MAGIC},
        std::uint64_t{CIFS_SUPER_MAGIC}, std::uint64_t{SMB2_SUPER_MAGIC}, std::uint64_t{V9FS_MAGIC},
        std::uint64_t{AFS_SUPER_MAGIC}, std::uint64_t{AFS_FS_MAGIC},
        std::uint64_t{CEPH_SUPER_MAGIC}, std::uint64_t{FUSE_SUPER_MAGIC}}) {
    const FilesystemKind kind = filesystem_kind(type);
    EXPECT_FALSE(kind.is_supported) << kind.name;
    EXPECT_NE(kind.name, "unknown") << type;
  }
}

TEST(Filesystem, UnknownOnesAreNot) {
  EXPECT_EQ(filesystem_kind(0x12345678).name, "unknown");
  EXPECT_FALSE(filesystem_kind(0x12345678).is_supported);
}

}  // namespace
}  // namespace quire::storage
