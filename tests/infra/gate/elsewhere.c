/* Preloaded into the built functions by the gate's test: every name resolves to one public address, and connections to it go to a
 * loopback port. So the functions run as they are built, with their guards against private addresses in force, and nothing leaves
 * the machine. Loopback addresses themselves (the AWS-shaped servers) stay as they are; anything else is refused. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Public, and nobody is asked: see connect below. */
#define SOMEWHERE "93.184.216.34"

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
    struct in_addr address;
    int is_name = node && !inet_aton(node, &address) && strcmp(node, "localhost") != 0;
    return real(is_name ? SOMEWHERE : node, service, hints, found);
}

int connect(int socket, const struct sockaddr *to, socklen_t length) {
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
    if (to->sa_family == AF_INET) {
        struct sockaddr_in address = *(const struct sockaddr_in *)to;
        if ((ntohl(address.sin_addr.s_addr) >> 24) == 127) return real(socket, to, length);
        if (address.sin_addr.s_addr == inet_addr(SOMEWHERE)) {
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            address.sin_port = htons((unsigned short)atoi(getenv("CONSULATE_ELSEWHERE_PORT")));
            return real(socket, (struct sockaddr *)&address, sizeof address);
        }
    } else if (to->sa_family == AF_UNIX) {
        return real(socket, to, length);
    }
    errno = ENETUNREACH;
    return -1;
}
