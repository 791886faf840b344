#include "tests/support/few_descriptors.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>

namespace lodge::test {

FewDescriptors::FewDescriptors(unsigned count) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    int limit = 0; // `count` free numbers are below it: open(2) takes the lowest
    for (unsigned free = 0; ::fcntl(limit, F_GETFD) >= 0 || free++ < count;) {
        ++limit;
    }
    const rlimit few{.rlim_cur = static_cast<rlim_t>(limit), .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
}

FewDescriptors::~FewDescriptors() {
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0);
}

} // namespace lodge::test
