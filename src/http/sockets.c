/*-------------------------------------------------------------------------
 *
 * sockets.c
 *		Descriptors: counted for PostgreSQL, and the sockets of a lease.
 *
 * PostgreSQL lets extensions hold a third of max_files_per_process, and
 * closes files of its own to make room for what is counted.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"

#include "http/sockets.h"

/*
 * Left free for PostgreSQL, which creates an epoll descriptor to wait, for an
 * Append or for us, and raises an internal error if it cannot.
 */
#define SPARE_DESCRIPTORS 1

int			sgip_sockets_open = 0;

void
sgip_descriptors_release(int count)
{
	while (count-- > 0)
		ReleaseExternalFD();
}

void
sgip_descriptors_make_room(int count)
{
	for (int i = 0; i < count; i++)
		ReserveExternalFD();
	sgip_descriptors_release(count);
}

bool
sgip_descriptors_acquire(int count)
{
	int			got = 0;

	while (got < count + SPARE_DESCRIPTORS && AcquireExternalFD())
		got++;
	sgip_descriptors_release(got < count + SPARE_DESCRIPTORS ? got : SPARE_DESCRIPTORS);
	return got == count + SPARE_DESCRIPTORS;
}

bool
sgip_descriptors_used_up(const SgipLease *lease)
{
	int			fd = fcntl(lease->epoll_fd, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

/*
 * The first one has been counted with the lease.
 */
curl_socket_t
sgip_socket_open(SgipLease *lease, const struct curl_sockaddr *address)
{
	bool		first = lease->open_sockets == 0;
	SgipOpenSocket *entry = &lease->sockets[lease->open_sockets];
	struct stat status = {0};

	errno = EMFILE;
	if (lease->open_sockets == SGIP_MAX_SOCKETS || !(first || sgip_descriptors_acquire(1)))
		return CURL_SOCKET_BAD;
	entry->fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (entry->fd < 0)
	{
		sgip_descriptors_release(first ? 0 : 1);
		return CURL_SOCKET_BAD;
	}
	(void) fstat(entry->fd, &status);
	entry->inode = status.st_ino;
	lease->open_sockets++;
	sgip_sockets_open++;
	return entry->fd;
}

int
sgip_socket_close(void *arg, curl_socket_t socket)
{
	close(socket);
	sgip_sockets_forget(arg);
	return 0;
}

bool
sgip_socket_is_ours(const SgipOpenSocket *socket)
{
	struct stat status;

	return fstat(socket->fd, &status) == 0 && S_ISSOCK(status.st_mode) &&
		status.st_ino == socket->inode;
}

/*
 * libcurl 7.88, at least, does not call sgip_socket_close for a socket that
 * did not become a connection: because the transfer was stopped before, or
 * another address of the host was faster.
 */
void
sgip_sockets_forget(SgipLease *lease)
{
	for (int i = lease->open_sockets - 1; i >= 0; i--)
	{
		if (sgip_socket_is_ours(&lease->sockets[i]))
			continue;
		lease->sockets[i] = lease->sockets[--lease->open_sockets];
		sgip_sockets_open--;
		sgip_descriptors_release(lease->open_sockets == 0 ? 0 : 1);
	}
}
