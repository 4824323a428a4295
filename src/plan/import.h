/*-------------------------------------------------------------------------
 *
 * import.h
 *		IMPORT FOREIGN SCHEMA from the catalogue.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_IMPORT_H
#define SGIP_IMPORT_H

#include "foreign/fdwapi.h"

/*
 * Callback: returns the CREATE FOREIGN TABLE commands of the server's tables.
 * Raises HV00Q for another schema than SGIP_REMOTE_SCHEMA, HV00R for an
 * unknown table in LIMIT TO or EXCEPT, and the validator's errors.
 */
extern List *sgipImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid);

#endif							/* SGIP_IMPORT_H */
