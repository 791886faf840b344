#include "daemon/seccomp/profile.hpp"

#include "daemon/seccomp/calls.hpp"
#include "lib/base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

namespace lodge::daemon {

namespace {

struct FilterRelease {
    void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, FilterRelease>;

// libseccomp returns a negated errno.
Status check(int rc, std::string_view what) {
    if (rc < 0) {
        return fail_errno("libseccomp", what, -rc);
    }
    return {};
}

// The number of a call. A call that this libseccomp does not know gets no rule, and so the default,
// ENOSYS.
int number_of(std::string_view name) {
    return seccomp_syscall_resolve_name(std::string(name).c_str());
}

Status add(const Filter& filter,
           std::uint32_t action,
           std::string_view name,
           const scmp_arg_cmp* condition) {
    const int number = number_of(name);
    if (number == __NR_SCMP_ERROR) {
        return {};
    }
    const int rc = condition == nullptr
                       ? seccomp_rule_add_array(filter.get(), action, number, 0, nullptr)
                       : seccomp_rule_add_array(filter.get(), action, number, 1, condition);
    return check(rc, name);
}

// Compares only the low 32 bits, because the kernel ignores the others of these arguments.
scmp_arg_cmp low_word_is(unsigned argument, unsigned long value) {
    return {argument, SCMP_CMP_MASKED_EQ, 0xffffffffUL, value & 0xffffffffUL};
}

Status add_named_calls(const Filter& filter) {
    for (const std::string_view name : allowed_calls()) {
        RETURN_IF_ERROR(add(filter, SCMP_ACT_ALLOW, name, nullptr));
    }
    for (const DeniedCall& call : denied_calls()) {
        if (call.error_number !=
            ENOSYS) { // ENOSYS is the default, and libseccomp refuses to repeat it
            RETURN_IF_ERROR(add(filter,
                                SCMP_ACT_ERRNO(static_cast<unsigned>(call.error_number)),
                                call.name,
                                nullptr));
        }
    }
    return {};
}

Status add_sockets(const Filter& filter) {
    const auto allowed = allowed_socket_families();
    const int highest = *std::max_element(allowed.begin(), allowed.end());
    for (int family = 0; family <= highest; ++family) {
        const bool allow = std::find(allowed.begin(), allowed.end(), family) != allowed.end();
        const scmp_arg_cmp is_family{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0};
        RETURN_IF_ERROR(add(
            filter, allow ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", &is_family));
    }
    const scmp_arg_cmp is_higher{0, SCMP_CMP_GT, static_cast<scmp_datum_t>(highest), 0};
    return add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket", &is_higher);
}

constexpr std::array kPairFamilies{AF_UNIX};

// Allows pairs of AF_UNIX only. For any family the kernel loads its module and makes its sockets
// before it checks whether the family supports pairs; TIPC does support them.
Status add_socket_pairs(const Filter& filter) {
    const scmp_arg_cmp is_unix{0, SCMP_CMP_EQ, AF_UNIX, 0};
    RETURN_IF_ERROR(add(filter, SCMP_ACT_ALLOW, "socketpair", &is_unix));
    const scmp_arg_cmp is_other{0, SCMP_CMP_NE, AF_UNIX, 0};
    return add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socketpair", &is_other);
}

Status add_personalities(const Filter& filter) {
    for (const unsigned long persona : allowed_personalities()) {
        const scmp_arg_cmp is_persona = low_word_is(0, persona);
        RETURN_IF_ERROR(add(filter, SCMP_ACT_ALLOW, "personality", &is_persona));
    }
    return {};
}

// A program that runs before libseccomp's and checks the family of socket(2) and socketpair(2) of
// i386. libseccomp cannot do that: for i386 it adds to each rule for socket(2) one for
// socketcall(2), without the condition on the family, which a filter cannot read there.
class I386Sockets {
  public:
    I386Sockets() {
        load(offsetof(seccomp_data, arch));
        put(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 1, 0);
        const std::size_t foreign = put(BPF_JMP | BPF_JA, 0);
        load(offsetof(seccomp_data, nr));
        judge(kSocket, allowed_socket_families());
        judge(kSocketPair, kPairFamilies);
        program_[foreign].k = static_cast<std::uint32_t>(program_.size() - foreign - 1);
    }
    [[nodiscard]] const std::vector<sock_filter>& program() const { return program_; }

  private:
    // arch/x86/entry/syscalls/syscall_32.tbl; <asm/unistd.h> has them for 32-bit programs only.
    static constexpr std::uint32_t kSocket = 359;
    static constexpr std::uint32_t kSocketPair = 360;

    std::size_t
    put(unsigned code, std::uint32_t value, std::uint8_t if_so = 0, std::uint8_t if_not = 0) {
        program_.push_back({static_cast<std::uint16_t>(code), if_so, if_not, value});
        return program_.size() - 1;
    }
    void load(std::size_t offset) {
        (void)put(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
    }
    // Checks the lower half of the first argument: x86 is little-endian, and a 32-bit program has
    // no upper half. Falls through for another call.
    void judge(std::uint32_t call, std::span<const int> families) {
        const std::size_t is_call = put(BPF_JMP | BPF_JEQ | BPF_K, call);
        load(offsetof(seccomp_data, args));
        for (const int family : families) {
            (void)put(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(family), 0, 1);
            (void)put(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        }
        (void)put(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
        program_[is_call].jf = static_cast<std::uint8_t>(program_.size() - is_call - 1);
    }

    std::vector<sock_filter> program_;
};

Result<std::vector<unsigned char>> export_program(const Filter& filter) {
    const UniqueFd memory(::memfd_create("lodge-seccomp", MFD_CLOEXEC));
    if (!memory) {
        return fail_errno("memfd_create");
    }
    RETURN_IF_ERROR(check(seccomp_export_bpf(filter.get(), memory.get()), "export the program"));
    const off_t size = ::lseek(memory.get(), 0, SEEK_END);
    if (size <= 0) {
        return fail_errno("lseek");
    }
    std::vector<unsigned char> program(static_cast<std::size_t>(size));
    if (::pread(memory.get(), program.data(), program.size(), 0) != size) {
        return fail_errno("pread");
    }
    return program;
}

Result<Filter> new_filter(std::uint32_t architecture) {
    Filter filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
    if (!filter) {
        return fail(ErrorCode::resource_exhausted, "libseccomp: no memory for a filter");
    }
    // A call of a foreign architecture (also x32) fails as in a kernel that is built without it.
    RETURN_IF_ERROR(
        check(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)),
              "foreign architectures"));
    // no_new_privs stays off, because sudo and other setuid programs need their privileges in the
    // container.
    RETURN_IF_ERROR(check(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 0), "no_new_privs"));
    // A binary tree over the numbers instead of a list: about ten comparisons for each call.
    RETURN_IF_ERROR(check(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimise"));
    if (architecture != seccomp_arch_native()) {
        RETURN_IF_ERROR(
            check(seccomp_arch_add(filter.get(), architecture), "add the architecture"));
        RETURN_IF_ERROR(check(seccomp_arch_remove(filter.get(), seccomp_arch_native()),
                              "remove the native one"));
    }
    return filter;
}

Result<Filter> common_filter(std::uint32_t architecture) {
    ASSIGN_OR_RETURN(Filter filter, new_filter(architecture));
    RETURN_IF_ERROR(add_named_calls(filter));
    RETURN_IF_ERROR(add_personalities(filter));
    return filter;
}

} // namespace

Result<std::vector<unsigned char>> compile_seccomp_profile() {
    ASSIGN_OR_RETURN(Filter filter, common_filter(seccomp_arch_native()));
    RETURN_IF_ERROR(add_sockets(filter));
    RETURN_IF_ERROR(add_socket_pairs(filter));
    if (seccomp_arch_native() == SCMP_ARCH_X86_64) {
        ASSIGN_OR_RETURN(Filter compat, common_filter(SCMP_ARCH_X86));
        RETURN_IF_ERROR(check(seccomp_merge(filter.get(), compat.get()), "merge i386"));
        (void)compat.release(); // merged: the other filter owns it now
    }
    auto program = with_context(export_program(filter), "compile the seccomp profile");
    if (program && seccomp_arch_native() == SCMP_ARCH_X86_64) {
        const I386Sockets sockets;
        const auto* bytes = reinterpret_cast<const unsigned char*>(sockets.program().data());
        // Its jumps are relative, so it can stand in front of the other program.
        program->insert(
            program->begin(), bytes, bytes + sockets.program().size() * sizeof(sock_filter));
    }
    return program;
}

} // namespace lodge::daemon
