/*-------------------------------------------------------------------------
 *
 * analyze.h
 *		Samples the rows of a foreign table for ANALYZE.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SGIP_ANALYZE_H
#define SGIP_ANALYZE_H

#include "foreign/fdwapi.h"

/* Callback: allows ANALYZE, unless the option analyzable is off, and sets how */
extern bool sgipAnalyzeForeignTable(Relation relation, AcquireSampleRowsFunc *func,
									BlockNumber *totalpages);

#endif							/* SGIP_ANALYZE_H */
