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

/* The one schema that can be imported */

extern List *sgipImportForeignSchema(ImportForeignSchemaStmt *stmt, Oid serverOid);

#endif							/* SGIP_IMPORT_H */
