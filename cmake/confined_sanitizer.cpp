// Linked into programs that shut themselves off from /proc, in builds with AddressSanitizer:
// LeakSanitizer reads its own process there, and takes being refused for a failure of the program.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
    return "detect_leaks=0:detect_stack_use_after_return=1";
}
