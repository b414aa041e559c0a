/* hdf5.h - libhdf5; see foreign.h. */
#ifndef UN_BASE_FOREIGN_HDF5_H
#define UN_BASE_FOREIGN_HDF5_H

#include <hdf5.h>

#include "base/foreign/foreign.h"

/* clang-format off */
#define UN_HDF5_FUNCTIONS(X) \
    X(H5Aclose) X(H5Aexists) X(H5Aget_space) X(H5Aget_type) X(H5Aopen) X(H5Aread) \
    X(H5check_version) X(H5Dclose) X(H5Dget_chunk_storage_size) X(H5Dget_create_plist) \
    X(H5Dget_num_chunks) X(H5Dget_space) X(H5Dget_storage_size) X(H5Dget_type) X(H5Dread) \
    X(H5Dread_chunk) X(H5Eclear2) X(H5Eset_auto2) X(H5Ewalk2) X(H5Fclose) X(H5FDregister) \
    X(H5Fget_create_plist) X(H5Fopen) X(H5free_memory) X(H5Iget_file_id) X(H5Iget_type) \
    X(H5Iinc_ref) X(H5Lget_info) X(H5Literate) X(H5Oclose) X(H5Oopen) X(H5open) \
    X(H5P_CLS_FILE_ACCESS_ID_g) X(H5Pclose) X(H5Pcreate) X(H5Pget_chunk) X(H5Pget_chunk_opts) \
    X(H5Pget_external_count) X(H5Pget_filter2) X(H5Pget_layout) X(H5Pget_nfilters) X(H5Pget_sizes) \
    X(H5Pset_driver) X(H5Rdereference2) X(H5Sclose) X(H5Screate_simple) \
    X(H5Sget_simple_extent_dims) X(H5Sget_simple_extent_ndims) X(H5Sget_simple_extent_npoints) \
    X(H5Sselect_hyperslab) X(H5T_NATIVE_DOUBLE_g) X(H5T_NATIVE_FLOAT_g) X(H5T_NATIVE_INT_g) \
    X(H5T_NATIVE_UINT16_g) X(H5T_NATIVE_UINT32_g) X(H5T_NATIVE_UINT8_g) X(H5T_STD_REF_OBJ_g) \
    X(H5Tclose) X(H5Tconvert) X(H5Tequal) X(H5Tget_class) X(H5Tget_member_index) \
    X(H5Tget_nmembers) X(H5Tget_sign) X(H5Tget_size) X(H5Tget_strpad) X(H5Tis_variable_str)
/* clang-format on */

UN_FOREIGN_TABLE(un_hdf5_table, UN_HDF5_FUNCTIONS)

#ifndef UN_FOREIGN_TABLES
#if H5_VERSION_GE(1, 12, 0) /* which has two versions of these, and macros for the newer */
#define H5Lget_info2 un_hdf5_table.H5Lget_info2
#define H5Literate2 un_hdf5_table.H5Literate2
#else
#define H5Lget_info un_hdf5_table.H5Lget_info
#define H5Literate un_hdf5_table.H5Literate
#endif
#define H5Aclose un_hdf5_table.H5Aclose
#define H5Aexists un_hdf5_table.H5Aexists
#define H5Aget_space un_hdf5_table.H5Aget_space
#define H5Aget_type un_hdf5_table.H5Aget_type
#define H5Aopen un_hdf5_table.H5Aopen
#define H5Aread un_hdf5_table.H5Aread
#define H5Dclose un_hdf5_table.H5Dclose
#define H5Dget_chunk_storage_size un_hdf5_table.H5Dget_chunk_storage_size
#define H5Dget_create_plist un_hdf5_table.H5Dget_create_plist
#define H5Dget_num_chunks un_hdf5_table.H5Dget_num_chunks
#define H5Dget_space un_hdf5_table.H5Dget_space
#define H5Dget_storage_size un_hdf5_table.H5Dget_storage_size
#define H5Dget_type un_hdf5_table.H5Dget_type
#define H5Dread un_hdf5_table.H5Dread
#define H5Dread_chunk un_hdf5_table.H5Dread_chunk
#define H5Eclear2 un_hdf5_table.H5Eclear2
#define H5Eset_auto2 un_hdf5_table.H5Eset_auto2
#define H5Ewalk2 un_hdf5_table.H5Ewalk2
#define H5FDregister un_hdf5_table.H5FDregister
#define H5Fclose un_hdf5_table.H5Fclose
#define H5Fget_create_plist un_hdf5_table.H5Fget_create_plist
#define H5Fopen un_hdf5_table.H5Fopen
#define H5Iget_file_id un_hdf5_table.H5Iget_file_id
#define H5Iget_type un_hdf5_table.H5Iget_type
#define H5Iinc_ref un_hdf5_table.H5Iinc_ref
#define H5Oclose un_hdf5_table.H5Oclose
#define H5Oopen un_hdf5_table.H5Oopen
#define H5Pclose un_hdf5_table.H5Pclose
#define H5Pcreate un_hdf5_table.H5Pcreate
#define H5Pget_chunk un_hdf5_table.H5Pget_chunk
#define H5Pget_chunk_opts un_hdf5_table.H5Pget_chunk_opts
#define H5Pget_external_count un_hdf5_table.H5Pget_external_count
#define H5Pget_filter2 un_hdf5_table.H5Pget_filter2
#define H5Pget_layout un_hdf5_table.H5Pget_layout
#define H5Pget_nfilters un_hdf5_table.H5Pget_nfilters
#define H5Pget_sizes un_hdf5_table.H5Pget_sizes
#define H5Pset_driver un_hdf5_table.H5Pset_driver
#define H5Rdereference2 un_hdf5_table.H5Rdereference2
#define H5Sclose un_hdf5_table.H5Sclose
#define H5Screate_simple un_hdf5_table.H5Screate_simple
#define H5Sget_simple_extent_dims un_hdf5_table.H5Sget_simple_extent_dims
#define H5Sget_simple_extent_ndims un_hdf5_table.H5Sget_simple_extent_ndims
#define H5Sget_simple_extent_npoints un_hdf5_table.H5Sget_simple_extent_npoints
#define H5Sselect_hyperslab un_hdf5_table.H5Sselect_hyperslab
#define H5Tclose un_hdf5_table.H5Tclose
#define H5Tconvert un_hdf5_table.H5Tconvert
#define H5Tequal un_hdf5_table.H5Tequal
#define H5Tget_class un_hdf5_table.H5Tget_class
#define H5Tget_member_index un_hdf5_table.H5Tget_member_index
#define H5Tget_nmembers un_hdf5_table.H5Tget_nmembers
#define H5Tget_sign un_hdf5_table.H5Tget_sign
#define H5Tget_size un_hdf5_table.H5Tget_size
#define H5Tget_strpad un_hdf5_table.H5Tget_strpad
#define H5Tis_variable_str un_hdf5_table.H5Tis_variable_str
#define H5check_version un_hdf5_table.H5check_version
#define H5free_memory un_hdf5_table.H5free_memory
#define H5open un_hdf5_table.H5open
#define H5P_CLS_FILE_ACCESS_ID_g (*un_hdf5_table.H5P_CLS_FILE_ACCESS_ID_g)
#define H5T_NATIVE_DOUBLE_g (*un_hdf5_table.H5T_NATIVE_DOUBLE_g)
#define H5T_NATIVE_FLOAT_g (*un_hdf5_table.H5T_NATIVE_FLOAT_g)
#define H5T_NATIVE_INT_g (*un_hdf5_table.H5T_NATIVE_INT_g)
#define H5T_NATIVE_UINT16_g (*un_hdf5_table.H5T_NATIVE_UINT16_g)
#define H5T_NATIVE_UINT32_g (*un_hdf5_table.H5T_NATIVE_UINT32_g)
#define H5T_NATIVE_UINT8_g (*un_hdf5_table.H5T_NATIVE_UINT8_g)
#define H5T_STD_REF_OBJ_g (*un_hdf5_table.H5T_STD_REF_OBJ_g)
#endif

#endif
