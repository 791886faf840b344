#pragma once

#include "storage/key_provider.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace lodge::test {

/// The guarantees of each provider of keys for its callers (storage/key_provider.hpp). The tests
/// run on the fault tier's fake and on the real ones.
///
/// `Host` is a fixture that has `keys()`, prepared.
template <typename Host>
class KeyContract : public Host {
  protected:
    Result<secret::SecretBuffer> unwrap(const storage::KeyContext& context,
                                        std::string_view sealed) {
        return this->keys().unwrap(context, sealed);
    }
    ErrorCode refusal(const storage::KeyContext& context, std::string_view sealed) {
        const auto key = unwrap(context, sealed);
        EXPECT_FALSE(key);
        return key ? ErrorCode{} : key.error().code();
    }

    secret::SecretBuffer key_ = secret::SecretBuffer::random(64).value();
    storage::KeyContext context_{
        .container = Uuid::generate().value(), .volume = Uuid::generate().value(), .slot = 3};
};

TYPED_TEST_SUITE_P(KeyContract);

TYPED_TEST_P(KeyContract, UnwrapsWhatItWrapped) {
    ASSERT_TRUE(this->keys().ready());
    const auto sealed = this->keys().wrap(this->context_, this->key_);
    ASSERT_TRUE(sealed) << sealed.error().to_string();
    const auto key = this->unwrap(this->context_, *sealed);
    ASSERT_TRUE(key) << key.error().to_string();
    EXPECT_TRUE(std::ranges::equal(key->bytes(), this->key_.bytes()));
    const auto again = this->keys().wrap(this->context_, this->key_);
    ASSERT_TRUE(again);
    EXPECT_NE(*again, *sealed) << "equal keys do not show";
}

TYPED_TEST_P(KeyContract, RefusesAnotherContext) {
    const auto sealed = this->keys().wrap(this->context_, this->key_);
    ASSERT_TRUE(sealed);
    storage::KeyContext other = this->context_;
    other.container = Uuid::generate().value();
    EXPECT_EQ(this->refusal(other, *sealed), ErrorCode::bad_key);
    other = this->context_;
    other.volume = Uuid::generate().value();
    EXPECT_EQ(this->refusal(other, *sealed), ErrorCode::bad_key);
    other = this->context_;
    other.slot = 4;
    EXPECT_EQ(this->refusal(other, *sealed), ErrorCode::bad_key);
}

TYPED_TEST_P(KeyContract, RefusesWhatWasChangedOrCut) {
    const auto sealed = this->keys().wrap(this->context_, this->key_);
    ASSERT_TRUE(sealed);
    for (std::size_t at = 0; at < sealed->size(); ++at) {
        std::string changed = *sealed;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        EXPECT_FALSE(this->unwrap(this->context_, changed)) << "byte " << at;
        EXPECT_FALSE(this->unwrap(this->context_, sealed->substr(0, at))) << at << " bytes";
    }
}

REGISTER_TYPED_TEST_SUITE_P(KeyContract,
                            UnwrapsWhatItWrapped,
                            RefusesAnotherContext,
                            RefusesWhatWasChangedOrCut);

} // namespace lodge::test
