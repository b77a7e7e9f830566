/* What CPython's limited API needs to know of 64-bit Windows, for a cross compiler.
 *
 * CPython writes pyconfig.h for the platform it was built on; with this file in the place of that one, the headers of
 * any CPython from 3.11 serve to compile an abi3 module for win_amd64. Sizes are those of the LLP64 data model.
 */
#ifndef Py_CONFIG_H
#define Py_CONFIG_H

#define MS_WINDOWS
#define MS_WIN32
#define MS_WIN64
#define NT_THREADS
#define WITH_THREAD 1

#define SIZEOF_SHORT 2
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_VOID_P 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_TIME_T 8
#define SIZEOF_WCHAR_T 2
#define SIZEOF_FLOAT 4
#define SIZEOF_DOUBLE 8
#define SIZEOF_OFF_T 4
#define SIZEOF_FPOS_T 8
#define ALIGNOF_SIZE_T 8
#define HAVE_STDDEF_H 1

/* No ssize_t there. */
#define HAVE_PY_SSIZE_T 1
typedef long long Py_ssize_t;
#define PY_SSIZE_T_MAX LLONG_MAX

/* Symbols come from python3.dll, data among them. */
#define Py_ENABLE_SHARED 1
#define HAVE_DECLSPEC_DLL 1

#endif
