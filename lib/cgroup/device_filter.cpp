#include "lib/cgroup/device_filter.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lodge::cgroup {

namespace {

constexpr std::uint32_t kAnyMinor = 0xffffffff;
struct Device {
    std::uint32_t major;
    std::uint32_t minor;
};
// Documentation/admin-guide/devices.txt of the kernel.
constexpr std::array kAllowed{Device{1, 3},
                              Device{1, 5},
                              Device{1, 7},
                              Device{1, 8},
                              Device{1, 9},
                              Device{5, 0},
                              Device{5, 1},
                              Device{5, 2},
                              Device{136, kAnyMinor},
                              Device{10, 229},
                              Device{10, 200}};

bpf_insn instruction(int code, int destination, int source, int offset, int immediate) {
    bpf_insn insn{};
    insn.code = static_cast<__u8>(code);
    insn.dst_reg = static_cast<__u8>(destination) & 0xf;
    insn.src_reg = static_cast<__u8>(source) & 0xf;
    insn.off = static_cast<__s16>(offset);
    insn.imm = immediate;
    return insn;
}

bpf_insn load(int destination, std::size_t offset) {
    return instruction(
        BPF_LDX | BPF_MEM | BPF_W, destination, BPF_REG_1, static_cast<int>(offset), 0);
}

// r2 = access type (low half: device type, high half: access), r4 = major, r5 = minor; see
// struct bpf_cgroup_dev_ctx in linux/bpf.h.
std::vector<bpf_insn> make_program() {
    std::vector<bpf_insn> program{
        load(BPF_REG_2, offsetof(bpf_cgroup_dev_ctx, access_type)),
        load(BPF_REG_4, offsetof(bpf_cgroup_dev_ctx, major)),
        load(BPF_REG_5, offsetof(bpf_cgroup_dev_ctx, minor)),
        instruction(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0),
        instruction(BPF_ALU | BPF_AND | BPF_K, BPF_REG_3, 0, 0, BPF_DEVCG_ACC_MKNOD << 16),
        // mknod: refused for each device.
        instruction(BPF_JMP32 | BPF_JEQ | BPF_K, BPF_REG_3, 0, 2, 0),
        instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0),
        instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
        instruction(BPF_ALU | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff)};
    for (const Device& device : kAllowed) {
        const bool any_minor = device.minor == kAnyMinor;
        const int past = any_minor ? 3 : 4;
        program.push_back(
            instruction(BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_2, 0, past, BPF_DEVCG_DEV_CHAR));
        program.push_back(instruction(
            BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_4, 0, past - 1, static_cast<int>(device.major)));
        if (!any_minor) {
            program.push_back(instruction(
                BPF_JMP32 | BPF_JNE | BPF_K, BPF_REG_5, 0, 2, static_cast<int>(device.minor)));
        }
        program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1));
        program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
    }
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
    return program;
}

long bpf(int command, bpf_attr& attributes) {
    return ::syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

} // namespace

Result<UniqueFd> load_device_filter() {
    const std::vector<bpf_insn> program = make_program();
    bpf_attr attributes{};
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.expected_attach_type = BPF_CGROUP_DEVICE;
    attributes.insns = reinterpret_cast<std::uintptr_t>(program.data());
    attributes.insn_cnt = static_cast<__u32>(program.size());
    attributes.license = reinterpret_cast<std::uintptr_t>("GPL");
    std::strncpy(&attributes.prog_name[0], "lodge_devices", BPF_OBJ_NAME_LEN - 1);
    UniqueFd loaded(
        static_cast<int>(bpf(BPF_PROG_LOAD, attributes))); // always O_CLOEXEC (man 2 bpf)
    if (!loaded) {
        return fail_errno("BPF_PROG_LOAD", "device filter");
    }
    return loaded;
}

Status attach_device_filter(int group_fd, int program_fd) {
    bpf_attr attributes{};
    attributes.target_fd = static_cast<__u32>(group_fd);
    attributes.attach_bpf_fd = static_cast<__u32>(program_fd);
    attributes.attach_type = BPF_CGROUP_DEVICE;
    if (bpf(BPF_PROG_ATTACH, attributes) != 0) {
        return fail_errno("BPF_PROG_ATTACH", "device filter");
    }
    return {};
}

} // namespace lodge::cgroup
