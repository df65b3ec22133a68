"""What an operator decides by a form: which verb of the registry, on what, and in whose name."""

from __future__ import annotations

from starlette.datastructures import FormData

from owcl.engine import registry
from owcl.errors import NotFound
from owcl.review import forms
from owcl.types import MethodClass
from storage.store import Store


def on_class(store: Store, who: str, class_id: int, verb: str, form: FormData) -> None:
    """Name, merge, split, thin out or reject a class.

    Raises:
        NotFound: if there is no such verb or class.
        BadInput: if the form does not say what the verb needs.
        Conflict: if somebody else changed the class since the form was shown.
    """
    key, seen = str(class_id), forms.number(forms.word(form, "version"))
    if verb == "name":
        family, note = forms.word(form, "family"), forms.word(form, "note")
        registry.name(store, key, forms.word(form, "name"), who, family, note, seen)
    elif verb == "merge":
        registry.merge(store, key, forms.word(form, "into"), who, seen)
    elif verb == "reject":
        registry.reject(store, key, who, seen)
    elif verb == "split":
        registry.split(store, key, forms.chosen(form), who, forms.new_name(form), seen)
    elif verb == "release":
        registry.release(store, key, forms.chosen(form), who, seen)
    else:
        raise NotFound(f"class {class_id}: {verb!r} is nothing that can be done with a class.")


def on_faces(store: Store, who: str, verb: str, form: FormData) -> MethodClass:
    """Make a class of faces, add them to one, or say that they are none; return the class.

    Raises:
        NotFound: if there is no such verb, class or face.
        BadInput: if the form names no faces.
        Conflict: if the class is live no longer, or the name is another's.
    """
    faces = forms.chosen(form)
    if verb == "make":
        return registry.make(store, faces, who, forms.new_name(form))
    if verb == "label":
        return registry.label(store, forms.word(form, "into"), faces, who)
    if verb == "dismiss":
        return registry.make(store, faces, who, None, True)
    raise NotFound(f"faces: {verb!r} is nothing that can be done with faces.")


def on_cluster(store: Store, who: str, cluster_id: int, form: FormData) -> MethodClass:
    """Make a class of a cluster that waits, and return it.

    Raises:
        NotFound: if no such cluster waits.
        Conflict: if the name is another class's.
    """
    return registry.adopt(store, cluster_id, who, forms.new_name(form))
