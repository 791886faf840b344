// Linked into programs in builds with ThreadSanitizer. Debian's Poco is not instrumented, so it is
// not seen that reference counts inside Poco order the last use of a socket, in our code, before
// its end in the thread that accepts. That thread's stack is not always found to its bottom, so the
// closing of a socket is named as well.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
    return "race:Poco::Net::TCPServer::run\n"
           "race:Poco::Net::SocketImpl::close\n";
}
