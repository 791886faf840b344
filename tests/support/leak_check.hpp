#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace lodge::test {

/// The objects that a test could leave behind, each as a line of text: descriptors of this process,
/// its children, mounts of this namespace, attached loop devices, dm devices, links, cgroups with
/// "lodge" in their path, nft objects, entries of the watched directories.
using Inventory = std::set<std::string>;
[[nodiscard]] Inventory take_inventory(const std::vector<std::string>& directories = {});

/// The lines that are only in `after` or only in `before`, as readable text; empty when both are
/// equal.
[[nodiscard]] std::string difference(const Inventory& before, const Inventory& after);

/// Waits up to ten seconds until the inventory is equal to `before`: the kernel dissolves mounts,
/// loops and network namespaces of dead processes in work queues. Returns the remaining difference.
[[nodiscard]] std::string settle_to(const Inventory& before,
                                    const std::vector<std::string>& directories = {});

/// Fixture of every test that touches the kernel: fails the test when it leaves anything behind.
class LeakChecked : public ::testing::Test {
  protected:
    void SetUp() override { before_ = take_inventory(); }
    void TearDown() override { EXPECT_EQ(settle_to(before_), "") << "left behind (+) or lost (-)"; }

  private:
    Inventory before_;
};

} // namespace lodge::test
