/*-------------------------------------------------------------------------
 *
 * credentials.h
 *		Credentials of a user: from the user mapping, or the file it names.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_CREDENTIALS_H
#define SGIP_CREDENTIALS_H

#include "catalog/option.h"

/* The credentials of a user mapping */
typedef struct SgipCredentials
{
	Oid			mapping_id;
	Oid			user_id;		/* whose it is, InvalidOid for PUBLIC */
	const char *api_user;		/* v2 */
	const char *api_key;		/* never NULL or empty */
	const char *api_key_file;	/* that the key was read from, or NULL */
	const char *on_behalf_of;	/* v3, or NULL */
} SgipCredentials;

/* Whose mapping the user has at the server: InvalidOid for PUBLIC's; the user's own if there is none */
extern Oid	sgip_credentials_owner(Oid server_id, Oid user_id);

/*
 * Credentials that this user has for the server, from a mapping of their own
 * or PUBLIC's; palloc'd.  api_key_file is read now.  Raises 28000 if there are
 * none or the key is not valid, HV00D for an option of the other api_version,
 * and the file's errors.
 */
extern SgipCredentials *sgip_credentials_get(const SgipServer *server, Oid user_id);

#endif							/* SGIP_CREDENTIALS_H */
