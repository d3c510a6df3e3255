"""The style "photographic": drawn faces with the sizes, light, hair and backgrounds of photographs."""
