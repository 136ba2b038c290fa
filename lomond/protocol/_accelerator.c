/* What a client does for every octet and every short message, compiled: RFC 6455 §5.2, §5.3.

   What `masking` and `frames` do in Python is done here once more, the same to the bit, where a
   compiler was at hand (see setup.py). Whatever breaks a rule, or is anything but a whole message
   in one plain frame, is left to Python: what follows from it does not belong here.

   The GIL is kept. A MiB takes 50 µs, a hundredth of what another thread may keep whoever lets
   it go waiting: beside a busy thread, 16 MiB took 2.7 ms with the GIL kept and 6.7 without.
   There is no state, and nothing is written to but new objects that nobody else has seen: safe
   in subinterpreters and without the GIL. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <structmember.h>

enum { KEY_SIZE = 4, MAX_HEAD_SIZE = 2 + 8 + KEY_SIZE };
enum { WHOLE_TEXT = 0x81, WHOLE_BINARY = 0x82 };
enum { MASKED = 0x80, LENGTH_IN_2_BYTES = 126, LENGTH_IN_8_BYTES = 127 };

/* RFC 6455 §5.3: "Octet i of the transformed data is the XOR of octet i of the original data
   with octet at index i modulo 4 of the masking key". Eight at once, through memcpy because
   nothing is aligned; a compiler makes vectors of it, in either byte order. */
static void
xor_octets(char *restrict masked, const char *restrict payload, Py_ssize_t size, const char *key)
{
    char key_twice[2 * KEY_SIZE];
    uint64_t keys, octets;
    Py_ssize_t at = 0;

    memcpy(key_twice, key, KEY_SIZE);
    memcpy(key_twice + KEY_SIZE, key, KEY_SIZE);
    memcpy(&keys, key_twice, sizeof keys);
    for (; size - at >= (Py_ssize_t)sizeof octets; at += sizeof octets) {
        memcpy(&octets, payload + at, sizeof octets);
        octets ^= keys;
        memcpy(masked + at, &octets, sizeof octets);
    }
    for (; at < size; at++) {
        masked[at] = payload[at] ^ key[at % KEY_SIZE];
    }
}

/* Return a new reference: to the payload itself if it is bytes, else to a copy of it, for
   another thread might write to it. NULL with an exception set. */
static PyObject *
payload_as_bytes(PyObject *payload)
{
    if (PyBytes_CheckExact(payload)) {
        return Py_NewRef(payload);
    }
    if (PyObject_CheckBuffer(payload)) {
        return PyBytes_FromObject(payload);
    }
    return PyErr_Format(PyExc_TypeError, "a payload is bytes, bytearray or memoryview, not %.200s",
                        Py_TYPE(payload)->tp_name);
}

/* Return the octets of the key, borrowed; NULL with an exception set. */
static const char *
key_octets(PyObject *key)
{
    if (!PyBytes_Check(key)) {
        PyErr_Format(PyExc_TypeError, "a masking key is bytes, not %.200s", Py_TYPE(key)->tp_name);
        return NULL;
    }
    if (PyBytes_GET_SIZE(key) != KEY_SIZE) {
        PyErr_Format(PyExc_ValueError, "a masking key has 4 bytes, not %zd", PyBytes_GET_SIZE(key));
        return NULL;
    }
    return PyBytes_AS_STRING(key);
}

static int
check_count(const char *name, Py_ssize_t count, Py_ssize_t expected)
{
    if (count != expected) {
        PyErr_Format(PyExc_TypeError, "%s() takes %zd arguments, not %zd", name, expected, count);
        return -1;
    }
    return 0;
}

/* Return new bytes: `head` as it is, then `size` octets of a payload, masked. */
static PyObject *
join_masked(const char *head, Py_ssize_t head_size, const char *payload, Py_ssize_t size,
            const char *key)
{
    /* No overflow: the object that the payload is in has a longer head than any frame. */
    PyObject *joined = PyBytes_FromStringAndSize(NULL, head_size + size);

    if (joined != NULL) {
        memcpy(PyBytes_AS_STRING(joined), head, head_size);
        xor_octets(PyBytes_AS_STRING(joined) + head_size, payload, size, key);
    }
    return joined;
}

PyDoc_STRVAR(mask_doc,
"mask($module, payload, key, /)\n--\n\n"
"Return `payload` masked, or a masked payload as it was before.");

static PyObject *
mask(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    const char *key;
    PyObject *payload, *masked;

    if (check_count("mask", count, 2) < 0 || (key = key_octets(args[1])) == NULL) {
        return NULL;
    }
    if ((payload = payload_as_bytes(args[0])) == NULL) {
        return NULL;
    }
    masked = join_masked("", 0, PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), key);
    Py_DECREF(payload);
    return masked;
}

/* Write all of a frame that is in front of its payload; return how many bytes that is. */
static Py_ssize_t
write_head(char *head, long first, Py_ssize_t length, const char *key)
{
    int length_size = length < LENGTH_IN_2_BYTES ? 0 : length < 1 << 16 ? 2 : 8;
    Py_ssize_t at = 0;

    head[at++] = (char)first;
    head[at++] = (char)(MASKED | (length_size == 0   ? (int)length
                                  : length_size == 2 ? LENGTH_IN_2_BYTES
                                                     : LENGTH_IN_8_BYTES));
    while (length_size > 0) {
        head[at++] = (char)((uint64_t)length >> 8 * --length_size);
    }
    memcpy(head + at, key, KEY_SIZE);
    return at + KEY_SIZE;
}

PyDoc_STRVAR(build_frame_doc,
"build_frame($module, first, payload, key, /)\n--\n\n"
"Return one masked frame: its first byte, the length, the key and the masked payload.");

static PyObject *
build_frame(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    char head[MAX_HEAD_SIZE];
    const char *key;
    long first;
    PyObject *payload, *frame;

    if (check_count("build_frame", count, 3) < 0 || (key = key_octets(args[2])) == NULL) {
        return NULL;
    }
    first = PyLong_AsLong(args[0]);
    if (first == -1 && PyErr_Occurred()) {
        return NULL;
    }
    if (first < 0 || first > 0xff) {
        return PyErr_Format(PyExc_ValueError, "a first byte is 0 to 255, not %ld", first);
    }
    if ((payload = payload_as_bytes(args[1])) == NULL) {
        return NULL;
    }
    frame = join_masked(head, write_head(head, first, PyBytes_GET_SIZE(payload), key),
                        PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload), key);
    Py_DECREF(payload);
    return frame;
}

PyDoc_STRVAR(mask_part_doc,
"mask_part($module, head, payload, start, stop, key, /)\n--\n\n"
"Return `head`, and behind it the bytes of `payload` from `start` to `stop` masked.\n\n"
"The key begins anew at `start`.");

static PyObject *
mask_part(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    const char *key;
    Py_ssize_t start, stop;

    if (check_count("mask_part", count, 5) < 0 || (key = key_octets(args[4])) == NULL) {
        return NULL;
    }
    if (!PyBytes_Check(args[0]) || !PyBytes_Check(args[1])) {
        return PyErr_Format(PyExc_TypeError, "mask_part() joins bytes to bytes");
    }
    start = PyLong_AsSsize_t(args[2]);
    stop = PyLong_AsSsize_t(args[3]);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (start < 0 || start > stop || stop > PyBytes_GET_SIZE(args[1])) {
        return PyErr_Format(PyExc_ValueError, "there is no part from %zd to %zd in %zd bytes",
                            start, stop, PyBytes_GET_SIZE(args[1]));
    }
    return join_masked(PyBytes_AS_STRING(args[0]), PyBytes_GET_SIZE(args[0]),
                       PyBytes_AS_STRING(args[1]) + start, stop - start, key);
}

/* A class of events, and where its objects keep their message and their time. */
typedef struct {
    PyTypeObject *type;
    Py_ssize_t message, time;
} Layout;

/* Return where objects of the type keep what `slot`, an attribute of their class, gets and sets;
   -1 with an exception set if it is not one of `__slots__`. */
static Py_ssize_t
slot_offset(PyTypeObject *type, PyObject *slot)
{
    if (Py_IS_TYPE(slot, &PyMemberDescr_Type) && PyType_IsSubtype(type, PyDescr_TYPE(slot))) {
        const PyMemberDef *member = ((PyMemberDescrObject *)slot)->d_member;

        if (member->type == T_OBJECT_EX && member->flags == 0) {
            return member->offset;
        }
    }
    PyErr_Format(PyExc_TypeError, "%R is no slot of %.200s", slot, type->tp_name);
    return -1;
}

/* Read a tuple of a class and two of its slots; -1 with an exception set if it is none. */
static int
read_layout(Layout *layout, PyObject *layout_tuple)
{
    PyObject *type;

    if (!PyTuple_Check(layout_tuple) || PyTuple_GET_SIZE(layout_tuple) != 3
        || !PyType_Check(type = PyTuple_GET_ITEM(layout_tuple, 0))
        || !PyType_HasFeature((PyTypeObject *)type, Py_TPFLAGS_HEAPTYPE)) {
        PyErr_SetString(PyExc_TypeError, "events are made by a tuple of a class and two slots");
        return -1;
    }
    layout->type = (PyTypeObject *)type;
    layout->message = slot_offset(layout->type, PyTuple_GET_ITEM(layout_tuple, 1));
    if (layout->message < 0) {
        return -1;
    }
    layout->time = slot_offset(layout->type, PyTuple_GET_ITEM(layout_tuple, 2));
    return layout->time < 0 ? -1 : 0;
}

/* Return the event of a whole message, a new reference. NULL with an exception set;
   UnicodeDecodeError for a text that is not UTF-8.

   Its slots are filled here, which is all that its `__init__` would do, for 200 instructions in
   place of 1,000. */
static PyObject *
make_event(const Layout *layout, int is_text, const char *payload, Py_ssize_t size, PyObject *time)
{
    PyObject *event;
    PyObject *message = is_text ? PyUnicode_DecodeUTF8(payload, size, NULL)
                                : PyBytes_FromStringAndSize(payload, size);

    if (message == NULL) {
        return NULL;
    }
    event = layout->type->tp_alloc(layout->type, 0);
    if (event == NULL) {
        Py_DECREF(message);
        return NULL;
    }
    *(PyObject **)((char *)event + layout->message) = message;
    *(PyObject **)((char *)event + layout->time) = Py_NewRef(time);
    return event;
}

/* Set where the payload of the frame at `at` begins, and return its size; -1 where Python has to
   look at it: the frame is not all there, too long, or anything but a message of its own. A
   length of 127 or more stands for a long message, or for a mask that a server must not use. */
static Py_ssize_t
find_payload(const uint8_t *data, Py_ssize_t *at, Py_ssize_t end, Py_ssize_t max_size)
{
    Py_ssize_t start = *at + 2, size;

    if (start > end || (data[*at] != WHOLE_TEXT && data[*at] != WHOLE_BINARY)) {
        return -1;
    }
    size = data[*at + 1];
    if (size == LENGTH_IN_2_BYTES) {
        start += 2;
        if (start > end || (size = data[start - 2] << 8 | data[start - 1]) < LENGTH_IN_2_BYTES) {
            return -1;
        }
    }
    else if (size > LENGTH_IN_2_BYTES) {
        return -1;
    }
    *at = start;
    return size > max_size || size > end - start ? -1 : size;
}

PyDoc_STRVAR(read_messages_doc,
"read_messages($module, data, position, room, max_size, events, text, binary, time, /)\n--\n\n"
"Append up to `room` whole messages that `data` holds from `position` on to the list `events`.\n\n"
"Return the position of the first frame that is anything else. `text` and `binary` are\n"
"tuples: a class of events, and its slots for the message and for `time`.");

static PyObject *
read_messages(PyObject *Py_UNUSED(module), PyObject *const *args, Py_ssize_t count)
{
    const uint8_t *data;
    Py_ssize_t position, start, end, size, room, max_size;
    Layout text, binary;

    if (check_count("read_messages", count, 8) < 0) {
        return NULL;
    }
    if (!PyBytes_Check(args[0]) || !PyList_Check(args[4])) {
        return PyErr_Format(PyExc_TypeError, "read_messages() reads bytes into a list");
    }
    position = PyLong_AsSsize_t(args[1]);
    room = PyLong_AsSsize_t(args[2]);
    /* Who sets no limit may write any number: clipped, not refused. */
    max_size = PyNumber_AsSsize_t(args[3], NULL);
    if (PyErr_Occurred() || read_layout(&text, args[5]) < 0 || read_layout(&binary, args[6]) < 0) {
        return NULL;
    }
    data = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    end = PyBytes_GET_SIZE(args[0]);
    if (position < 0 || position > end) {
        return PyErr_Format(PyExc_ValueError, "there is no position %zd in %zd bytes", position, end);
    }
    for (; room > 0; room--, position = start + size) {
        PyObject *event;
        int is_text, is_appended;

        start = position;
        size = find_payload(data, &start, end, max_size);
        if (size < 0) {
            break;
        }
        is_text = data[position] == WHOLE_TEXT;
        event = make_event(is_text ? &text : &binary, is_text, (const char *)data + start, size,
                           args[7]);
        if (event == NULL) {
            if (!is_text || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
                return NULL;
            }
            PyErr_Clear();
            break;
        }
        is_appended = PyList_Append(args[4], event);
        Py_DECREF(event);
        if (is_appended < 0) {
            return NULL;
        }
    }
    return PyLong_FromSsize_t(position);
}

/* The cast by way of void (*)(void) is what tells a compiler that METH_FASTCALL is meant. */
static PyMethodDef methods[] = {
    {"mask", (PyCFunction)(void (*)(void))mask, METH_FASTCALL, mask_doc},
    {"build_frame", (PyCFunction)(void (*)(void))build_frame, METH_FASTCALL, build_frame_doc},
    {"mask_part", (PyCFunction)(void (*)(void))mask_part, METH_FASTCALL, mask_part_doc},
    {"read_messages", (PyCFunction)(void (*)(void))read_messages, METH_FASTCALL,
     read_messages_doc},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_multiple_interpreters /* from CPython 3.12 on */
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
#ifdef Py_mod_gil /* from CPython 3.13 on */
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "lomond.protocol._accelerator",
    .m_doc = "Masking and framing, compiled; what is used of it is said in `compiled`.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC
PyInit__accelerator(void)
{
    return PyModuleDef_Init(&definition);
}
