// Linked into programs in builds with ThreadSanitizer. Debian's Poco is not instrumented, so it is
// not seen that reference counts inside Poco order the last use of a socket, in our code, before
// its end in the thread that accepts, and the last use of an event's delegate before its end with
// the connection that it was for. The accepting thread's stack is not always found to its bottom,
// so the closing of a socket is named as well.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
    return "race:Poco::Net::TCPServer::run\n"
           "race:Poco::Net::SocketImpl::close\n"
           "race:Poco::Net::HTTPServerConnection::~HTTPServerConnection\n";
}

// A program with threads sleeps a second before it exits, so that late races are seen. The
// end-to-end tests run thousands of commands, and a command has nothing that would run so late.
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() {
    return "atexit_sleep_ms=50";
}
