// Linked into programs in builds with ThreadSanitizer. Debian's Poco is not instrumented, so it is
// not seen that reference counts inside Poco order the last use of a socket, in our code, before
// its end in the thread that accepts.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
    return "race:Poco::Net::TCPServer::run\n";
}
