#include "daemon/api/routes.hpp"

#include <gtest/gtest.h>

namespace lodge::daemon {
namespace {

TEST(Routes, AreRefusedToACallerWithoutTheirPermission) {
    const Permissions some{Permission::view, Permission::operate};
    const Caller caller{.uid = 1000, .pid = 1, .may = &some};
    for (const Permission needed : all_permissions()) {
        const Route route{
            .method = "GET", .path = {}, .needs = needed, .parameters = {}, .handle = {}};
        EXPECT_TRUE(check_permission(Caller{}, route)) << "the one role there is";
        const Status checked = check_permission(caller, route);
        ASSERT_EQ(checked.has_value(), some.contains(needed));
        if (!checked) {
            EXPECT_EQ(checked.error().code(), ErrorCode::permission_denied);
        }
    }
}

} // namespace
} // namespace lodge::daemon
